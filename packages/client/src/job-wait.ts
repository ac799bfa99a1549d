// What a job says about what it waits for. Read leniently, like the job itself.

import { listOf, numberOf, objectOf, textOf, timeOf } from './read-field.ts'

/** What a person is asked to decide. */
export interface JobApproval {
  /** One per request: the next one of the same job has another. */
  readonly id: string | null
  /** Who or what asks the person, such as `slack`; the blueprint's word. */
  readonly integration: string | null
  readonly message: string
  /** What can be decided. */
  readonly decisions: readonly string[]
  /** In ms since 1970; `null` when there is no hurry. */
  readonly expiresAt: number | null
  /** By decision, the path on the orchestrator that decides so, once; empty when none are given out. */
  readonly links: Readonly<Record<string, string>>
}

/** How far the branches of a parallel step are. */
export interface JobBranches {
  readonly total: number
  readonly done: number
  readonly failed: number
  /** With a worker. */
  readonly running: number
  /** For a worker, for their turn or for their next attempt. */
  readonly waiting: number
}

type Document = Readonly<Record<string, unknown>> | null

/** The request for approval; `null` when there is none. */
export function readApproval(raw: Document): JobApproval | null {
  if (raw === null) return null
  const links = Object.entries(objectOf(raw, 'links') ?? {})
  return {
    id: textOf(raw, 'id'),
    integration: textOf(raw, 'integration'),
    message: textOf(raw, 'message') ?? '',
    decisions: listOf(raw, 'decisions').filter((decision) => typeof decision === 'string'),
    expiresAt: timeOf(raw, 'expires_at'),
    links: Object.fromEntries(
      links.filter((link): link is [string, string] => typeof link[1] === 'string'),
    ),
  }
}

/** The counts of branches; `null` when there are none. */
export function readBranches(raw: Document): JobBranches | null {
  if (raw === null) return null
  return {
    total: numberOf(raw, 'total') ?? 0,
    done: numberOf(raw, 'done') ?? 0,
    failed: numberOf(raw, 'failed') ?? 0,
    running: numberOf(raw, 'running') ?? 0,
    waiting: numberOf(raw, 'waiting') ?? 0,
  }
}
