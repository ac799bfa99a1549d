/** How states look, in every format alike. */
import type { GraphNode } from './graph.ts'

export type NodeRole = 'plain' | 'start' | 'aggregator' | 'finished' | 'failed' | 'current'

interface NodeColours {
  readonly fill: string
  readonly stroke: string
  readonly text: string
}

/** Light boxes with dark text, and lines in a grey that can be seen on white and on black. */
export const GRAPH_COLOURS: Readonly<Record<NodeRole, NodeColours>> & { readonly edge: string } = {
  plain: { fill: '#f8fafc', stroke: '#64748b', text: '#0f172a' },
  start: { fill: '#e0f2fe', stroke: '#0284c7', text: '#0c4a6e' },
  aggregator: { fill: '#f3e8ff', stroke: '#9333ea', text: '#581c87' },
  finished: { fill: '#dcfce7', stroke: '#16a34a', text: '#14532d' },
  failed: { fill: '#fee2e2', stroke: '#dc2626', text: '#7f1d1d' },
  current: { fill: '#fcd34d', stroke: '#b45309', text: '#451a03' },
  edge: '#64748b',
}

/** What decides a state's colours; where the job is says more than how a job ends there. */
export function nodeRole({ start, end, isAggregator }: GraphNode, isCurrent: boolean): NodeRole {
  if (isCurrent) return 'current'
  if (end !== null) return end
  if (start) return 'start'
  return isAggregator ? 'aggregator' : 'plain'
}

/** The same in words, for those who do not see colours; empty for a plain state. */
export function nodeTags({ start, end, isAggregator }: GraphNode, isCurrent: boolean): string {
  const tags = [
    start && 'start',
    isAggregator && 'aggregator',
    end !== null && `end: ${end}`,
    isCurrent && 'current',
  ]
  return tags.filter((tag) => tag !== false).join(' · ')
}
