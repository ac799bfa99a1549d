/** When plans are due: pure arithmetic, the same for every scheduler. */
import { Cron } from 'croner'
import type { EpochMs } from '../job/vocabulary.ts'
import type { Timing } from './scheduler.ts'

const HOUR_MS = 3_600_000
/** Others, with a year or for one moment, would be due for the last time some day. */
const PATTERN = /^(@[a-z]+|(\S+\s+){4,5}\S+)$/i
/** Hours that are named, so that each is meant once a day. */
const NAMED_HOURS = /^[\d,-]+$/

/**
 * The first moment after another at which a plan is due. A wall-clock time that a change of the clock
 * skips is made up for right then; one that comes twice counts once, unless the pattern is for every
 * hour.
 * @throws Error for a timing that has a {@link timingProblem}.
 */
export function nextTickAt(timing: Timing, after: EpochMs): EpochMs {
  if ('everyMs' in timing) return (Math.floor(after / timing.everyMs) + 1) * timing.everyMs
  const { cron, timezone } = timing
  const pattern = new Cron(cron, { timezone, paused: true })
  let next = nextRun(pattern, after)
  while (namesHours(cron) && isRepeatedHour(next, timezone)) next = nextRun(pattern, next)
  return next
}

/** Why a timing cannot be used; `undefined` if it can. */
export function timingProblem(timing: Timing, now: EpochMs): string | undefined {
  if ('everyMs' in timing) {
    const isUsable = Number.isSafeInteger(timing.everyMs) && timing.everyMs >= 1
    return isUsable ? undefined : 'its period must be a positive number'
  }
  const { cron, timezone } = timing
  if (!isTimezone(timezone))
    return `there is no time zone '${timezone}'; use one such as Europe/Berlin`
  if (!PATTERN.test(cron.trim())) {
    return `its cron pattern '${cron}' cannot be used: give five fields, six with seconds first, or a name such as @daily`
  }
  try {
    nextTickAt(timing, now)
    return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Cron\w+: /, '') : String(error)
    return `its cron pattern '${cron}' cannot be used: ${reason}`
  }
}

function nextRun(pattern: Cron, after: EpochMs): EpochMs {
  const next = pattern.nextRun(new Date(after))
  if (next === null) throw new Error('it is never due')
  return next.getTime()
}

function namesHours(cron: string): boolean {
  const fields = cron.trim().split(/\s+/)
  return NAMED_HOURS.test(fields.at(-4) ?? '')
}

/** Whether the clocks showed the same an hour before: they were set back in between. */
function isRepeatedHour(at: EpochMs, timezone: string): boolean {
  const clock = new Intl.DateTimeFormat('en', { timeZone: timezone, timeStyle: 'medium' })
  return clock.format(at) === clock.format(at - HOUR_MS)
}

function isTimezone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== ''
  } catch {
    // The platform has no other way to say so.
    return false
  }
}
