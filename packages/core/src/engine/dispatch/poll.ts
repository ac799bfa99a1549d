/** A worker asks for tasks. */
export interface Poll {
  readonly workerId: string
  /** How long to wait for a task, in ms. */
  readonly waitMs: number
  /** Most tasks to hand over. */
  readonly max: number
  /** Names of the skills that the worker can start now. Default: all that it registered. */
  readonly availableSkills?: readonly string[] | undefined
  /** Aborted when the worker has gone away: what it was about to get is offered again. */
  readonly signal: AbortSignal
}
