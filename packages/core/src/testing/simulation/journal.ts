/** Watches every commit that becomes true, and knows the promises that they must keep. */
import { isTerminalJobStatus } from '@avtomatika/protocol'
import type { Job } from '../../job/job.ts'
import type { CommitEntry, CommitOutcome } from '../../ports/storage.ts'

interface Known {
  readonly version: number
  readonly endedAt: number | null
  readonly finishedTasks: Set<string>
  endings: number
}

export class Journal {
  readonly #jobs = new Map<string, Known>()
  readonly #violations: string[] = []
  commits = 0

  get violations(): readonly string[] {
    return this.#violations
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
  }

  /** A worker was told that its result counts. */
  resultAccepted(jobId: string, taskId: string): void {
    if (this.#jobs.get(jobId)?.finishedTasks.has(taskId) === true) return
    this.violate(jobId, `answered that the result of ${taskId} counts, and did not apply it`)
  }

  /** A client was told that its job is cancelled. */
  cancelAccepted(jobId: string): void {
    const endedAt = this.#jobs.get(jobId)?.endedAt ?? null
    if (endedAt === null) this.violate(jobId, 'answered that it is cancelled, and went on')
  }

  violate(jobId: string, what: string): void {
    this.#violations.push(`job ${jobId} ${what}`)
  }

  #observe({ job, effects }: CommitEntry): void {
    this.commits += 1
    const before = this.#jobs.get(job.id)
    if (job.version !== (before?.version ?? 0) + 1) {
      this.violate(
        job.id,
        `went from version ${String(before?.version ?? 0)} to ${String(job.version)}`,
      )
    }
    if (before?.endedAt != null) this.violate(job.id, 'changed after it had ended')
    const known = this.#note(job, before)
    for (const effect of effects) {
      if (effect.kind !== 'record') continue
      if (effect.record.type === 'task_finished') {
        this.#taskFinished(known, job, effect.record.taskId)
      }
      if (/^job_(finished|failed|quarantined|cancelled)$/.test(effect.record.type))
        known.endings += 1
    }
    if (known.endings > 1) this.violate(job.id, 'ended more than once')
  }

  #note(job: Job, before: Known | undefined): Known {
    const endedAt = isTerminalJobStatus(job.status) ? job.updatedAt : null
    const finishedTasks = before?.finishedTasks ?? new Set<string>()
    const known = { version: job.version, endedAt, finishedTasks, endings: before?.endings ?? 0 }
    this.#jobs.set(job.id, known)
    return known
  }

  #taskFinished(known: Known, job: Job, taskId = ''): void {
    if (known.finishedTasks.has(taskId)) {
      this.violate(job.id, `applied the result of ${taskId} twice`)
    }
    known.finishedTasks.add(taskId)
    const { lastAnswer, lastData } = job
    const isTaken = lastAnswer?.taskId === taskId && /_transition$/.test(lastAnswer.transition)
    // Workers sign their data with the task they had: it must be the one that the job waited for.
    if (isTaken && lastData?.['from'] !== taskId) {
      this.violate(job.id, `took the data of another attempt for those of ${taskId}`)
    }
  }
}
