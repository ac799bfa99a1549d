/** Watches every commit that becomes true, and knows the promises that they must keep. */
import { isTerminalJobStatus, type JsonObject } from '@avtomatika/protocol'
import type { HistoryRecord } from '../../job/effect.ts'
import type { Job } from '../../job/job.ts'
import type { BranchResult } from '../../job/task.ts'
import type { CommitEntry, CommitOutcome } from '../../ports/storage.ts'

interface Known {
  version: number
  job: Job | undefined
  endedAt: number | null
  /** Since when it waits for what it waits for. */
  waitsSince: number
  /** Born when its parent had ended: then it must be cancelled. */
  isOrphan: boolean
  child: string | undefined
  /** Events that it was sent and did not wait for yet, by id. */
  readonly stored: Map<string, JsonObject>
  /** What must happen once at most, and did. */
  readonly once: Set<string>
  endings: number
  retries: number
}

/** By then a word to cancel has arrived, also by way of another orchestrator. */
const ORPHAN_MS = 25_000

export class Journal {
  readonly #jobs = new Map<string, Known>()
  readonly #violations: string[] = []
  commits = 0

  get violations(): readonly string[] {
    return this.#violations
  }

  /** How many jobs there are, children included. */
  get jobCount(): number {
    return this.#jobs.size
  }

  /** Jobs that have not ended, children included. */
  liveJobs(): readonly string[] {
    return [...this.#jobs].flatMap(([id, { endedAt }]) => (endedAt === null ? [id] : []))
  }

  /** Takes note of a batch and what became of it. */
  observe(entries: readonly CommitEntry[], outcomes: readonly CommitOutcome[]): void {
    entries.forEach((entry, i) => {
      if (outcomes[i]?.kind === 'committed') this.#observe(entry)
    })
  }

  /** A handler begins for a job that was read at most `staleMs` ago. */
  handlerBegins(jobId: string, now: number, staleMs: number): void {
    const endedAt = this.#jobs.get(jobId)?.endedAt ?? null
    if (endedAt !== null && now - endedAt > staleMs) {
      this.violate(jobId, 'ran a handler after it had ended')
    }
    const known = this.#jobs.get(jobId)
    const isReady = known?.job?.wait?.for === 'step'
    if (known !== undefined && !isReady && now - known.waitsSince > staleMs) {
      this.violate(jobId, `ran a handler while it waited for ${String(known.job?.wait?.for)}`)
    }
  }

  /** A worker was told that its result counts. */
  resultAccepted(jobId: string, taskId: string): void {
    this.#expect(jobId, `task_finished ${taskId}`, `the result of ${taskId} counts`)
  }

  /** A person was told that the decision counts. */
  approvalAccepted(jobId: string, approvalId: string): void {
    this.#expect(jobId, `approval_decided ${approvalId}`, `${approvalId} is decided`)
  }

  /** A client was told that its event arrived. */
  eventAccepted(jobId: string, eventId: string): void {
    this.#expect(jobId, `event_received ${eventId}`, `the event ${eventId} arrived`)
  }

  /** After all is over: what can only be said then. */
  close(): void {
    for (const [id, { isOrphan, job }] of this.#jobs) {
      const lived = job === undefined ? 0 : job.updatedAt - job.createdAt
      if (isOrphan && job?.status !== 'cancelled' && lived > ORPHAN_MS) {
        this.violate(id, 'went on though its parent had ended before it began')
      }
    }
  }

  /** A client was told that its job is cancelled. */
  cancelAccepted(jobId: string): void {
    const endedAt = this.#jobs.get(jobId)?.endedAt ?? null
    if (endedAt === null) this.violate(jobId, 'answered that it is cancelled, and went on')
  }

  violate(jobId: string, what: string): void {
    this.#violations.push(`job ${jobId} ${what}`)
  }

  #expect(jobId: string, fact: string, promise: string): void {
    if (this.#jobs.get(jobId)?.once.has(fact) === true) return
    this.violate(jobId, `answered that ${promise}, and did not write it`)
  }

  #observe({ job, effects, expectedVersion }: CommitEntry): void {
    this.commits += 1
    const known = this.#known(job)
    // Several changes may be written together.
    if (expectedVersion !== known.version || job.version <= known.version) {
      this.violate(job.id, `went from version ${String(known.version)} to ${String(job.version)}`)
    }
    const records = effects.flatMap((effect) => (effect.kind === 'record' ? [effect.record] : []))
    // Faults lose answers here, never what was written: there is nothing to find.
    if (records.some(({ type }) => type === 'job_rearmed')) {
      this.violate(job.id, 'was found without anything to wake it')
    }
    const isReopened = records.some(({ type }) => /^job_(retried|discarded)$/.test(type))
    if (known.endedAt !== null && !isReopened) this.violate(job.id, 'changed after it had ended')
    const before = known.job
    if (before?.wait !== job.wait) known.waitsSince = job.updatedAt
    known.version = job.version
    known.job = job
    known.endedAt = isTerminalJobStatus(job.status) ? job.updatedAt : null
    for (const record of records) this.#note(known, job, record)
    const { received } = job
    if (received?.kind === 'event') known.stored.delete(received.event.id)
    this.#checkAggregation(job, records)
  }

  #known(job: Job): Known {
    const before = this.#jobs.get(job.id)
    if (before !== undefined) return before
    if (job.parentId !== null && this.#jobs.get(job.parentId) === undefined) {
      this.violate(job.id, 'has a parent that does not exist')
    }
    const known: Known = {
      version: 0,
      job: undefined,
      endedAt: null,
      waitsSince: job.updatedAt,
      isOrphan: job.parentId !== null && this.#jobs.get(job.parentId)?.endedAt !== null,
      child: undefined,
      stored: new Map(),
      once: new Set(),
      endings: 0,
      retries: 0,
    }
    this.#jobs.set(job.id, known)
    return known
  }

  #note(known: Known, job: Job, record: HistoryRecord): void {
    const fact = factOf(record)
    if (fact !== undefined) {
      if (known.once.has(fact)) this.violate(job.id, `applied ${fact} twice`)
      known.once.add(fact)
    }
    if (record.type === 'task_finished') this.#checkData(job, record.taskId ?? '')
    if (record.type === 'job_retried') known.retries += 1
    this.#noteChild(known, job, record)
    this.#noteEvent(known, job, record)
    if (!/^job_(finished|failed|quarantined|cancelled)$/.test(record.type)) return
    known.endings += 1
    if (known.endings > known.retries + 1) this.violate(job.id, 'ended more than once')
  }

  /** A parent goes on for the child that it waits for, and when that has ended (D-17). */
  #noteChild(known: Known, job: Job, { type, details = {} }: HistoryRecord): void {
    const childId = String(details['childId'])
    if (type === 'child_started') known.child = childId
    if (type !== 'child_finished') return
    if (known.child !== childId) this.violate(job.id, `went on for ${childId}, not its child`)
    if (this.#jobs.get(childId)?.endings === 0) {
      this.violate(job.id, `went on before its child ${childId} had ended`)
    }
  }

  /** An event that came early is there when the job waits for it. */
  #noteEvent(known: Known, job: Job, { type, details = {} }: HistoryRecord): void {
    const { id, name, data, isStored } = details
    if (type === 'event_received' && isStored === true && name === 'bell') {
      known.stored.set(String(id), data as JsonObject)
    }
    const isThere = [...known.stored.values()].some(({ kind }) => kind === 'wake')
    // What came first is taken first.
    if (type === 'event_received' && isStored === false && isThere) {
      this.violate(job.id, 'took a new event before an older one')
    }
    if (type === 'event_wait_expired' && isThere) {
      this.violate(job.id, 'did not notice an event that had come before')
    }
  }

  /** Workers sign their data with the task they had: it must be the one that the job waited for. */
  #checkData(job: Job, taskId: string): void {
    const { answers, lastData, received } = job
    const answer = answers.find((each) => each.taskId === taskId)
    const isTaken = answer !== undefined && /_transition$/.test(answer.transition)
    const isKept = lastData?.['from'] === taskId && job.stateHistory['from'] === taskId
    if (isTaken && answer.transition !== 'failure_transition' && !isKept) {
      this.violate(job.id, `took the data of another attempt for those of ${taskId}`)
    }
    const branches = received?.kind === 'branches' ? received.branches : []
    if (branches.some(isMixedUp)) this.violate(job.id, 'mixed up the data of its branches')
  }

  /** An aggregator sees every branch once, in order (D-20, D-34). */
  #checkAggregation(job: Job, records: readonly HistoryRecord[]): void {
    const { received } = job
    if (received?.kind !== 'branches' || !records.some(({ type }) => type === 'state_finished')) {
      return
    }
    const isInOrder = received.branches.every(({ index }, i) => index === i)
    const tasks = new Set(received.branches.map(({ taskId }) => taskId))
    if (!isInOrder || tasks.size !== received.branches.length) {
      this.violate(job.id, 'aggregated branches out of order, or one twice')
    }
  }
}

function isMixedUp({ taskId, data }: BranchResult): boolean {
  return data !== null && data['from'] !== undefined && data['from'] !== taskId
}

/** What a history row says that must be true once at most. */
function factOf({ type, taskId, details = {} }: HistoryRecord): string | undefined {
  const { id, approvalId, childId } = details
  if (type === 'task_finished') return `${type} ${taskId ?? ''}`
  if (type === 'event_received' || type === 'worker_event') return `${type} ${String(id)}`
  if (type === 'approval_decided' || type === 'approval_expired') {
    return `${type} ${String(approvalId)}`
  }
  return type === 'child_finished' || type === 'child_started'
    ? `${type} ${String(childId)}`
    : undefined
}
