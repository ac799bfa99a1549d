/** Figures that only the store knows, read when they are asked for, and left out when it does not answer. */
import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../ports/clock.ts'
import type { Storage } from '../ports/storage.ts'

/** Whoever collects figures gives up after some 10 s, and wants those that need no store. */
const LIMIT_MS = 2_000

/** What one question to the store brings; `undefined` for no answer in time. */
type Figures = ReadonlyMap<Gauge, number> | undefined

export class StorageFigures {
  readonly #storage: Pick<Storage, 'countOfferedTasks' | 'countSteps' | 'countRecords'>
  readonly #clock: Pick<Clock, 'after'>
  readonly #tasks: Gauge
  readonly #readySteps: Gauge
  readonly #runningSteps: Gauge
  readonly #records: Gauge
  readonly #isUp: Gauge
  #running: Promise<void> | undefined

  constructor(
    registry: Registry,
    { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  ) {
    this.#storage = storage
    this.#clock = clock
    const gauge = (name: string, help: string): Gauge =>
      new Gauge({ name, help, registers: [registry] })
    this.#tasks = gauge(
      'orchestrator_task_queue_length',
      'Tasks on offer that no worker has taken yet.',
    )
    this.#readySteps = gauge(
      'orchestrator_step_queue_length',
      'Steps that are ready and that no orchestrator has taken yet.',
    )
    this.#runningSteps = gauge(
      'orchestrator_steps_running',
      'Steps that orchestrators run at the moment.',
    )
    this.#records = gauge('orchestrator_outbox_length', 'History rows that wait for the history.')
    this.#isUp = gauge(
      'orchestrator_storage_up',
      '1 if the storage answered all that was asked for these figures, and in time; else 0.',
    )
  }

  /** Reads them anew. Never rejects; those who ask at the same time share one look. */
  refresh(): Promise<void> {
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #read(): Promise<void> {
    const answers = await Promise.all([
      this.#inTime(this.#storage.countOfferedTasks().then((n) => new Map([[this.#tasks, n]]))),
      this.#inTime(this.#storage.countRecords().then((n) => new Map([[this.#records, n]]))),
      this.#inTime(
        this.#storage.countSteps().then(
          ({ ready, leased }) =>
            new Map([
              [this.#readySteps, ready],
              [this.#runningSteps, leased],
            ]),
        ),
      ),
    ])
    // What was true when the store was there is not told as if it were so now.
    const all = [this.#tasks, this.#readySteps, this.#runningSteps, this.#records]
    for (const gauge of all) gauge.remove()
    for (const figures of answers) {
      for (const [gauge, figure] of figures ?? []) gauge.set(figure)
    }
    this.#isUp.set(answers.includes(undefined) ? 0 : 1)
  }

  async #inTime(figures: Promise<Figures>): Promise<Figures> {
    let cancel = (): void => undefined
    const limit = new Promise<undefined>((resolve) => {
      cancel = this.#clock.after(LIMIT_MS, () => {
        resolve(undefined)
      })
    })
    try {
      // That the store is away is what `orchestrator_storage_up` is for; `ready` says why.
      return await Promise.race([figures.catch(() => undefined), limit])
    } finally {
      cancel()
    }
  }
}
