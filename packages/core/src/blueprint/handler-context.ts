/** What a handler is given. */
import type { JsonObject } from '@avtomatika/protocol'
import { toJsonObject } from '../json/to-json.ts'
import type { Job } from '../job/job.ts'
import type { BranchResult } from '../job/task.ts'
import type { JobError } from '../job/vocabulary.ts'
import type { Approval, ChildReport, ReceivedEvent } from '../job/wait.ts'
import type { Actions } from './actions.ts'

/** The client that a job belongs to, without its token. */
export interface ClientInfo {
  readonly id: string
  readonly plan: string | null
  readonly params: JsonObject
}

/** How a branch came out, as the aggregator finds it by task id. */
export interface AggregationResult {
  readonly status: string
  readonly data: JsonObject | null
  readonly error: JobError | null
}

/** What the branches before an aggregator brought. */
export interface AggregationContext {
  /** By task id. */
  readonly aggregationResults: Readonly<Record<string, AggregationResult>>
  /** In the order in which the branches were given. */
  readonly branches: readonly BranchResult[]
}

interface ReservedContext<Input> extends AggregationContext {
  readonly jobId: string
  /** The state whose handler runs. */
  readonly currentState: string
  /** Which try of this handler it is, from 1. */
  readonly attempt: number
  /** What the job was created with; read-only. */
  readonly initialData: Input
  /** What workers returned so far, merged; read-only. */
  readonly stateHistory: JsonObject
  readonly actions: Actions
  readonly client: ClientInfo
  readonly dataStores: Readonly<Record<string, DataStoreValue>>
  readonly metadata: JsonObject
  /** The decision, in a state that `awaitHumanApproval` led to. */
  readonly approval: Approval | undefined
  /** How the child ended, in a state that `runBlueprint` led to. */
  readonly child: ChildReport | undefined
  /** The event, in a state that `waitForEvent` led to. */
  readonly event: ReceivedEvent | undefined
}

// A host passes whatever it likes, and only it knows the type.
type DataStoreValue = { readonly get: (key: string) => Promise<unknown> } & Record<string, unknown>

type Named<Input> = string extends keyof Input ? unknown : Omit<Input, keyof ReservedContext<Input>>

/**
 * One object to destructure: the reserved names above and, by name, any key that a worker returned
 * or the job was created with. A worker's key hides a key of the input; reserved names win over both.
 */
export type HandlerContext<Input = JsonObject> = ReservedContext<Input> &
  Named<Input> &
  Readonly<Record<string, unknown>>

/** A state's code. In an end state, what it returns becomes the job's result. */
export type Handler<Input = JsonObject> = (context: HandlerContext<Input>) => unknown

/** Decides whether a conditional handler is the one that runs. */
export type Predicate<Input = JsonObject> = (context: HandlerContext<Input>) => boolean

/**
 * Builds the context of one run. Its data is frozen: a handler that wrote into it would change the
 * stored document behind the engine's back, or lose what it wrote.
 */
export function handlerContext(
  job: Job,
  actions: Actions,
  dataStores: Readonly<Record<string, unknown>>,
): HandlerContext {
  const { owner } = job
  const initialData = toJsonObject(job.initialData, 'initialData')
  const stateHistory = toJsonObject(job.stateHistory, 'stateHistory')
  const reserved = {
    jobId: job.id,
    currentState: job.state,
    attempt: job.retryCount + 1,
    initialData,
    stateHistory,
    actions,
    client: { id: owner.clientId, plan: owner.plan, params: toJsonObject(owner.params, 'params') },
    dataStores: dataStores as ReservedContext<JsonObject>['dataStores'],
    metadata: toJsonObject(job.metadata, 'metadata'),
    ...receivedBy(job),
  }
  return { ...initialData, ...stateHistory, ...reserved }
}

type ReceivedContext = AggregationContext &
  Pick<ReservedContext<JsonObject>, 'approval' | 'child' | 'event'>

function receivedBy({ received }: Job): ReceivedContext {
  const branches = received?.kind === 'branches' ? received.branches.map(frozen) : []
  const byTask = branches.map(({ taskId, status, data, error }) => [
    taskId,
    { status, data, error },
  ])
  return {
    aggregationResults: Object.fromEntries(byTask) as AggregationContext['aggregationResults'],
    branches,
    approval: received?.kind === 'approval' ? frozen(received.approval) : undefined,
    child: received?.kind === 'child' ? frozen(received.child) : undefined,
    event: received?.kind === 'event' ? frozen(received.event) : undefined,
  }
}

function frozen<T extends object>(value: T): T {
  return toJsonObject(value, 'received') as unknown as T
}
