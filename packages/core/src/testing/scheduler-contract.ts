/** What every `Scheduler` must pass; see `storageContract` for how to run it. Takes real time. */
import assert from 'node:assert/strict'
import type { Plan, Scheduler, Tick } from '../ports/scheduler.ts'
import { contractCase, type ContractCase } from './contract-case.ts'
import { eventually } from './eventually.ts'

/** A place where plans are remembered, as far as that goes. */
export interface SchedulerBench {
  /** A scheduler at this place; stopped by `close` at the latest. */
  open(): Promise<Scheduler>
  close(): Promise<void>
}

const PERIOD_MS = 50

function every(ms: number, name = 'often'): Plan {
  return { name, timing: { everyMs: ms } }
}

function schedulerCase(
  name: string,
  check: (scheduler: Scheduler, ticks: Tick[]) => Promise<void>,
): ContractCase<SchedulerBench> {
  return contractCase(name, async (bench) => {
    await check(await bench.open(), [])
  })
}

/** Keeps the ticks it is handed. */
function into(ticks: Tick[]): (tick: Tick) => Promise<void> {
  return (tick) => {
    ticks.push(tick)
    return Promise.resolve()
  }
}

/** A promise that is kept when the test says so. */
function held(): { readonly promise: Promise<void>; readonly release: () => void } {
  let release = (): void => undefined
  const promise = new Promise<void>((resolve) => {
    release = resolve
  })
  return { promise, release: () => release() }
}

/** Waits until a real clock has moved on. */
function passed(ms: number): Promise<void> {
  const later = Date.now() + ms
  return eventually(() => Date.now() > later)
}

function momentsOf(ticks: readonly Tick[], name: string): readonly number[] {
  return ticks.filter((tick) => tick.name === name).map(({ at }) => at)
}

/** The promises of `Scheduler`, one case each. */
export const schedulerContract: readonly ContractCase<SchedulerBench>[] = [
  schedulerCase('T1 T2 a period is due at its multiples, each once', async (scheduler, ticks) => {
    scheduler.start([every(PERIOD_MS)], into(ticks))
    await eventually(() => ticks.length >= 5)
    const moments = momentsOf(ticks, 'often')
    assert.deepEqual(
      moments,
      [...new Set(moments)].toSorted((a, b) => a - b),
    )
    assert.ok(moments.every((at) => at % PERIOD_MS === 0))
  }),
  schedulerCase('T1 a pattern is due as it says', async (scheduler, ticks) => {
    const timing = { cron: '* * * * * *', timezone: 'Europe/Berlin' }
    scheduler.start([{ name: 'each second', timing }], into(ticks))
    await eventually(() => ticks.length >= 1)
    const [tick] = ticks
    assert.equal(tick?.name, 'each second')
    assert.equal((tick?.at ?? NaN) % 1_000, 0)
    assert.ok(Math.abs(Date.now() - (tick?.at ?? NaN)) < 5_000)
  }),
  schedulerCase('T1 plans do not know each other', async (scheduler, ticks) => {
    const names = ['a', 'b:c', 'with space/ü']
    const plans = names.map((name, i) => every(PERIOD_MS + i, name))
    scheduler.start([...plans, every(86_400_000, 'rarely')], into(ticks))
    await eventually(() => names.every((name) => momentsOf(ticks, name).length >= 2))
    assert.ok(ticks.every(({ name }) => names.includes(name)))
  }),
  schedulerCase('T2 a tick whose handling fails comes again (D-72)', async (scheduler, ticks) => {
    let failures = 2
    scheduler.start([every(PERIOD_MS)], async (tick) => {
      ticks.push(tick)
      failures -= 1
      if (failures >= 0) throw new Error('the storage is away')
    })
    await eventually(() => ticks.filter(({ at }) => at === ticks[0]?.at).length >= 2)
    await eventually(() => new Set(momentsOf(ticks, 'often')).size >= 3)
  }),
  schedulerCase('T2 a tick that takes long holds up no other plan', async (scheduler, ticks) => {
    const { promise: never, release } = held()
    scheduler.start([every(PERIOD_MS, 'slow'), every(PERIOD_MS)], (tick) => {
      ticks.push(tick)
      return tick.name === 'slow' ? never : Promise.resolve()
    })
    await eventually(() => momentsOf(ticks, 'slow').length >= 1)
    const before = momentsOf(ticks, 'often').length
    await eventually(() => momentsOf(ticks, 'often').length >= before + 2)
    release()
  }),
  schedulerCase('T4 nothing is handed out after a stop', async (scheduler, ticks) => {
    scheduler.start([every(PERIOD_MS)], into(ticks))
    await eventually(() => ticks.length >= 1)
    await scheduler.stop()
    const { length } = ticks
    await passed(3 * PERIOD_MS)
    assert.equal(ticks.length, length)
  }),
  schedulerCase('T4 a stop waits for the tick that is being handled', async (scheduler, ticks) => {
    const { promise: handled, release } = held()
    scheduler.start([every(PERIOD_MS)], (tick) => {
      ticks.push(tick)
      return handled
    })
    await eventually(() => ticks.length >= 1)
    let isStopped = false
    const stopped = scheduler.stop().then(() => (isStopped = true))
    await passed(PERIOD_MS)
    assert.equal(isStopped, false)
    release()
    await stopped
  }),
  schedulerCase(
    'T4 a stop waits only so long, and without a start it does nothing',
    async (scheduler, ticks) => {
      await scheduler.stop()
      scheduler.start([every(PERIOD_MS)], (tick) => {
        ticks.push(tick)
        return new Promise(() => undefined)
      })
      await eventually(() => ticks.length >= 1)
      await scheduler.stop(20)
    },
  ),
]
