/** Events that came before anything waited for them; none is lost. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import type { Draft } from './draft.ts'
import type { Job } from './job.ts'
import type { EventWait, ReceivedEvent } from './wait.ts'

/** How many event ids a job remembers, so that a repeated event counts once. */
const SEEN_IDS = 100

type Wanted = Pick<EventWait, 'name' | 'match'>

/** Takes the oldest stored event that fits out of the inbox. */
export function takeFromInbox({ job }: Draft, wanted: Wanted): ReceivedEvent | undefined {
  const place = job.inbox.findIndex((event) => isWanted(event, wanted))
  const event = job.inbox[place]
  if (event !== undefined) job.inbox = job.inbox.toSpliced(place, 1)
  return event
}

/** Whether an event is the one that is waited for. */
export function isWanted(event: Pick<ReceivedEvent, 'name' | 'data'>, wanted: Wanted): boolean {
  if (event.name !== wanted.name) return false
  return wanted.match === null || contains(event.data, wanted.match)
}

/** Whether an event came before: lately, or so that it is still stored. */
export function isKnown({ seenEventIds, inbox }: Job, eventId: string): boolean {
  return seenEventIds.includes(eventId) || inbox.some(({ id }) => id === eventId)
}

/** Remembers an event's id. */
export function markSeen({ job }: Draft, eventId: string): void {
  job.seenEventIds = [...job.seenEventIds, eventId].slice(-SEEN_IDS)
}

/** Whether all that `pattern` says holds for `data`; objects may have more, anything else is equal. */
function contains(data: JsonValue | undefined, pattern: JsonValue): boolean {
  if (typeof pattern !== 'object' || pattern === null) return data === pattern
  if (typeof data !== 'object' || data === null) return false
  if (Array.isArray(pattern)) {
    return (
      Array.isArray(data) &&
      data.length === pattern.length &&
      pattern.every((item: JsonValue, i) => contains(data[i] as JsonValue, item))
    )
  }
  return (
    !Array.isArray(data) &&
    Object.entries(pattern as JsonObject).every(
      ([key, value]) => Object.hasOwn(data, key) && contains((data as JsonObject)[key], value),
    )
  )
}
