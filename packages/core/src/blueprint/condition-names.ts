// Names of the context. Conditions may write them as handlers do, or as older generations did.

const OLDER_NAMES: ReadonlyMap<string, string> = new Map([
  ['job_id', 'jobId'],
  ['current_state', 'currentState'],
  ['initial_data', 'initialData'],
  ['state_history', 'stateHistory'],
  ['aggregation_results', 'aggregationResults'],
])

/** Those that hold data; on the right of a comparison, they are what makes dotted words a path. */
const AREAS: ReadonlySet<string> = new Set([
  'initialData',
  'stateHistory',
  'aggregationResults',
  'branches',
  'client',
  'metadata',
  'approval',
  'child',
  'event',
])

/** The name under which the context holds what a path begins with. */
export function contextName(written: string): string {
  return OLDER_NAMES.get(written) ?? written
}

/** Whether a name of the context holds data of the engine's, not of a worker's or a client's choice. */
export function isArea(name: string): boolean {
  return AREAS.has(name)
}
