/** Which of the polls that wait here are to have which tasks of one write. */
import type { OfferedTask } from '../../job/effect.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import type { Guest } from './waiting-room.ts'

/** A poll, and the tasks that it is to have: all of one class. */
export interface Match {
  readonly guest: Guest
  readonly tasks: OfferedTask[]
}

export class Seating {
  readonly #matches: Match[] = []
  /** Those that can take more, by the class of their tasks: of a thousand that are full none is asked. */
  readonly #withRoom = new Map<string, Match[]>()

  get matches(): readonly Match[] {
    return this.#matches
  }

  /** Gives a poll that was taken out of the room its first task. */
  seat(guest: Guest, task: OfferedTask, classId: string): void {
    const match = { guest, tasks: [task] }
    this.#matches.push(match)
    if (guest.max === 1) return
    const others = this.#withRoom.get(classId)
    if (others === undefined) this.#withRoom.set(classId, [match])
    else others.push(match)
  }

  /** Gives a task to a poll that has one and takes several at a time; `false` if there is none. */
  seatBeside(
    task: OfferedTask,
    classId: string,
    isWanted: (worker: WorkerRecord) => boolean,
  ): boolean {
    const withRoom = this.#withRoom.get(classId) ?? []
    const place = withRoom.findIndex(({ guest }) => isWanted(guest.worker))
    const match = withRoom[place]
    if (match === undefined) return false
    match.tasks.push(task)
    if (match.tasks.length >= match.guest.max) withRoom.splice(place, 1)
    return true
  }
}
