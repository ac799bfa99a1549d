/** What a committed entry is worth telling to other processes. */
import { classIdOf, type CommitEntry, type Hint } from '@avtomatika/core'

export function hintsOf({ job, effects }: CommitEntry): readonly Hint[] {
  const hints: Hint[] = []
  const kinds = new Set(effects.map(({ kind }) => kind))
  for (const effect of effects) {
    if (effect.kind === 'offer_task') {
      const { demand, avoid } = effect.task
      const open = avoid === null ? {} : { openToAllAt: avoid.until }
      hints.push({ kind: 'task', classId: classIdOf(demand), ...open })
    }
    if (effect.kind === 'set_deadline') hints.push({ kind: 'deadline', at: effect.at })
  }
  if (kinds.has('run_step')) hints.push({ kind: 'step' })
  if (kinds.has('record')) hints.push({ kind: 'record' })
  if (kinds.has('send')) hints.push({ kind: 'message' })
  if (job.finishedAt !== null) hints.push({ kind: 'job_ended', jobId: job.id })
  return hints
}
