/** Schedules of a whole orchestrator: at work, and refused at the start (D-72). */
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  Blueprint,
  OrchestratorEngine,
  type OrchestratorConfig,
  type OrchestratorOptions,
  type Plan,
  type Tick,
} from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { openStorage } from './support/storage-under-test.ts'

/** A scheduler that is due when the test says so. */
class Bell {
  plans: readonly Plan[] = []
  isStopped = false
  ring: (tick: Tick) => Promise<void> = async () => undefined

  start(plans: readonly Plan[], onTick: (tick: Tick) => Promise<void>): void {
    this.plans = plans
    this.ring = onTick
  }

  async stop(): Promise<void> {
    this.isStopped = true
  }
}

function orchestrator(
  config: OrchestratorConfig,
  options: OrchestratorOptions = {},
): OrchestratorEngine {
  const clients = [{ token: 'token', id: 'scheduler' }]
  const logger = pino({ level: 'silent' })
  const engine = new OrchestratorEngine({
    storage: openStorage(),
    logger,
    config: { port: 0, clients, ...config },
    ...options,
  })
  engine.register(new Blueprint('report').state('start', { start: true, end: true }))
  onTestFinished(() => engine.stop())
  return engine
}

describe('an orchestrator', () => {
  it('creates the jobs of its schedules, seen by a client of the id scheduler', async () => {
    const bell = new Bell()
    const schedules = [{ name: 'often', blueprint: 'report', everySeconds: 60 }]
    const created: string[] = []
    const engine = orchestrator(
      { schedules, retentionIntervalMs: 60_000 },
      { scheduler: () => bell, hooks: { onJobFinished: ({ id }) => void created.push(id) } },
    )
    const url = await engine.start()
    expect(bell.plans).toEqual([
      { name: 'schedule:often', timing: { everyMs: 60_000 } },
      { name: 'retention', timing: { everyMs: 60_000 } },
    ])
    const tick = { name: 'schedule:often', at: Date.parse('2026-03-27T10:21:00Z') }
    await bell.ring(tick)
    await bell.ring(tick)
    await bell.ring({ name: 'retention', at: tick.at })
    await until(() => created.length > 0)
    const headers = { 'x-client-token': 'token' }
    const job = await (await fetch(`${url}/api/jobs/${created[0]}`, { headers })).json()
    expect(job).toMatchObject({ status: 'finished', blueprint_name: 'report' })
    await engine.stop()
    expect([created.length, bell.isStopped]).toEqual([1, true])
  })

  it('does not start with schedules that cannot work, and says why', async () => {
    const schedules = [{ name: 'often', blueprint: 'rapport', cron: 'now and then' }]
    const engine = orchestrator({ schedules })
    await expect(engine.start()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      details: {
        problems: [
          "schedule 'often': there is no blueprint 'rapport'",
          expect.stringContaining("schedule 'often': its cron pattern 'now and then'"),
        ],
      },
    })
  })

  it.each([
    ['webhookAttempts', 0],
    ['retainMs', -1],
    ['retentionIntervalMs', 999],
  ])('is not made with %s %d', (name, value) => {
    expect(() => orchestrator({ [name]: value })).toThrow(name)
  })
})
