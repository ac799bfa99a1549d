/** The decisions a handler can take: exactly one per run, and what it may say beside it. */
import type { TaskContract } from '@avtomatika/protocol'

/** How a failed task is tried again; times in seconds. What is left out is as the engine's rules say. */
export interface RetryOptions {
  /** Tries in all, the first included. Default 4. */
  readonly attempts?: number
  /** Pause before the first retry. Default 0.5. */
  readonly initialDelay?: number
  /** Growth of the pause from one retry to the next. Default 2. */
  readonly factor?: number
  /** Longest pause. Default 60. */
  readonly maxDelay?: number
  /** Share of the pause that chance may take away, from 0 to 1. Default 0.5. */
  readonly jitter?: number
}

/** How a worker is chosen among several that could take a task; a host may add names of its own. */
export type DispatchStrategy =
  | 'default'
  | 'round_robin'
  | 'least_connections'
  | 'cheapest'
  | 'best_value'
  | 'overflow'
  | (string & {})

/** What every task may say, alone or as a branch; times in seconds. */
export interface TaskOptions {
  /** Higher goes first. Default 0. */
  readonly priority?: number
  /** How long the task may wait for a worker. Default: for as long as it takes. */
  readonly dispatchTimeout?: number
  /** How long a worker may take. Default: the engine's `taskTimeoutMs` (300 s). */
  readonly timeout?: number
  /** From dispatch to result, over all retries. Default: no limit. */
  readonly resultTimeout?: number
  /** Only workers that offer the skill in this version are given the task. */
  readonly skillVersion?: string
  /** Only workers whose skill is of this type are given the task. */
  readonly skillType?: string
  /** What a worker must have; keys as workers register them, for example `{ gpu_info: { vram_gb: 24 } }`. */
  readonly resourceRequirements?: object
  /** Workers that cost more are not given the task. */
  readonly maxCost?: number
  readonly dispatchStrategy?: DispatchStrategy
  readonly retry?: RetryOptions
}

/** What every dispatch may say. */
export interface DispatchOptions extends TaskOptions {
  /** Where to go by the status of the result: `success`, `failure`, or a status of the worker's own. */
  readonly transitions: Readonly<Record<string, string>>
  /** Where to go when the worker reports an event of this type; the task is then withdrawn. */
  readonly eventTransitions?: Readonly<Record<string, string>>
  /**
   * `transition`: when the task has failed for good, go to `transitions.failure`, with the error as
   * `stateHistory.error`. Default: the job is quarantined or fails, as the error's code says.
   */
  readonly onFailure?: 'transition'
}

export interface DispatchByName extends DispatchOptions {
  readonly type: string
  readonly params?: object
}

export interface DispatchByContract<Params> extends DispatchOptions {
  readonly type: TaskContract<Params, unknown>
  readonly params: NoInfer<Params>
}

/** One branch of a `dispatchParallel`. */
export interface BranchOptions extends TaskOptions {
  readonly type?: string | TaskContract<unknown, unknown>
  /** Another name for `type`. */
  readonly task_type?: string
  readonly params?: object
  /** What the aggregator finds the branch by. Default: its key in the map, or its place in the list. */
  readonly name?: string
}

export interface ParallelOptions {
  /** Branches in order, or by name. None at all goes straight to the aggregator. */
  readonly tasks: readonly BranchOptions[] | Readonly<Record<string, BranchOptions>>
  /** The state that is entered when every branch has come out. */
  readonly aggregateInto: string
  /** How many branches may be out at once. Default: all. */
  readonly concurrency?: number
  /** The first branch that fails for good ends the job; the others are withdrawn. Default false. */
  readonly failFast?: boolean
}

export interface ApprovalOptions {
  /** Where the request is shown, for the host's own use: `slack`, `email`, … */
  readonly integration: string
  readonly message: string
  /** The possible decisions, and where each leads. */
  readonly transitions: Readonly<Record<string, string>>
  /** How long a decision is waited for, in seconds. Default: for as long as it takes. */
  readonly timeout?: number
  /** Where to go when nobody decided in time. Default: the job fails. */
  readonly onTimeout?: string
}

export interface ChildOptions {
  /** Name of the child's blueprint. */
  readonly name: string
  /** Default: the one without version, else the one registered last. */
  readonly version?: string
  readonly initialData?: object
  /**
   * Where to go by how the child ended: `success` or `failure`; `failed`, `quarantined` and
   * `cancelled` go before `failure`. An end without a transition fails the job.
   */
  readonly transitions: Readonly<Record<string, string>>
  /** Limits of the child, in seconds from its creation. */
  readonly timeouts?: {
    /** Until a worker has taken a task of it. */
    readonly dispatch?: number
    /** Until every result must be there. */
    readonly result?: number
    /** Until it must have ended. */
    readonly total?: number
  }
}

/** A pause that survives restarts. */
export type SleepOptions =
  | { readonly seconds: number; readonly next: string }
  | { readonly until: Date; readonly next: string }

export interface EventWaitOptions {
  readonly name: string
  /** What the event's data must contain: every key given here, with the same value. Default: any. */
  readonly match?: object
  /** How long the event is waited for, in seconds. Default: for as long as it takes. */
  readonly timeout?: number
  /** Without `timeout` as a target, the job fails when no event comes in time. */
  readonly transitions: { readonly received: string; readonly timeout?: string }
}

export interface SendEventOptions {
  readonly name: string
  readonly data?: object
  /** The job that gets the event; one of the same owner. Default: an event of this job's own. */
  readonly jobId?: string
}

/** What a handler decides with. A second decision in one run throws `HANDLER_TWO_ACTIONS`. */
export interface Actions {
  /** Goes to another state. */
  transitionTo(state: string): void
  /** Another name for {@link Actions.transitionTo}. */
  goTo(state: string): void
  /** Gives work to a worker, and waits for its result. */
  dispatchTask<Params>(options: DispatchByContract<Params>): void
  dispatchTask(options: DispatchByName): void
  /** Gives work to several workers at once, and waits for all results. */
  dispatchParallel(options: ParallelOptions): void
  /** Waits for a person's decision; the next handler is given it as `approval`. */
  awaitHumanApproval(options: ApprovalOptions): void
  /** Runs a job of another blueprint, and waits for its end; the next handler is given it as `child`. */
  runBlueprint(options: ChildOptions): void
  /** Waits for a time. */
  sleep(options: SleepOptions): void
  /** Waits for an event from outside; the next handler is given it as `event`. */
  waitForEvent(options: EventWaitOptions): void
  /** Sends an event; this does not count as the one action. */
  sendEvent(options: SendEventOptions): void
  /** Lays data over the job's data and history; this does not count as the one action. */
  updateContext(data: object): void
}
