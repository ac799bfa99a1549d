/** Jobs that are created again and again (D-72). */
import { UnavailableError } from '@avtomatika/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { NewJobRequest } from '../src/engine/jobs/job-creation.ts'
import { Schedules, type ScheduleConfig } from '../src/engine/schedules/schedules.ts'
import { Timetable } from '../src/engine/schedules/timetable.ts'
import type { Job } from '../src/job/job.ts'
import { MemoryScheduler } from '../src/memory/index.ts'
import { silentLog, type Log } from '../src/ports/log.ts'
import { registryOf, World } from './support/engine-world.ts'

const SCHEDULE = { name: 'nightly', blueprint: 'report' }

function report(): Pick<Blueprint, 'define'> {
  return new Blueprint('report', { input: z.object({ region: z.string().default('eu') }) }).state(
    'start',
    { start: true, end: true },
    ({ initialData }) => initialData,
  )
}

interface Options {
  readonly world?: World
  /** Called before a job is created. */
  readonly onCreate?: (request: NewJobRequest) => void
  readonly log?: Log
}

/** Schedules on an engine of their own. */
function schedulesOn(configs: readonly ScheduleConfig[], options: Options = {}) {
  const { world = new World(), onCreate, log = silentLog } = options
  const engine = world.engine(report())
  const created: string[] = []
  const createJob = async (request: NewJobRequest): Promise<{ readonly jobId: string }> => {
    onCreate?.(request)
    const reply = await engine.createJob(request)
    created.push(reply.jobId)
    return reply
  }
  const { clock } = world
  const schedules = new Schedules({
    configs,
    blueprints: registryOf([report()]),
    createJob,
    clock,
    log,
  })
  const timetable = new Timetable(() => new MemoryScheduler({ clock, log }))
  onTestFinished(() => timetable.stop(0))
  const start = async (): Promise<void> => timetable.start(await schedules.duties())
  return { world, schedules, timetable, created, start }
}

async function jobsOf(world: World, ids: readonly string[]): Promise<readonly Job[]> {
  return Promise.all(ids.map((id) => world.job(id)))
}

async function problemsOf(...configs: readonly ScheduleConfig[]): Promise<readonly string[]> {
  const { schedules } = schedulesOn(configs)
  const error = await schedules.duties().catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
  return (error as { details: { problems: string[] } }).details.problems
}

describe('a schedule', () => {
  it('creates a job each time it is due, of the scheduler', async () => {
    const config = {
      ...SCHEDULE,
      everySeconds: 10,
      initialData: { region: 'us' },
      metadata: { team: 'ops' },
      dispatchTimeout: 2.5,
      resultTimeout: 60,
    }
    const { world, created, start } = schedulesOn([config])
    await start()
    const startedAt = world.clock.now()
    await world.clock.advance(30_000)
    const jobs = await jobsOf(world, created)
    expect(jobs).toHaveLength(3)
    expect(jobs[0]).toMatchObject({
      status: 'finished',
      initialData: { region: 'us' },
      owner: { clientId: 'scheduler', plan: null, params: {} },
      metadata: {
        schedule: 'nightly',
        scheduled_at: new Date(startedAt + 10_000).toISOString(),
        team: 'ops',
      },
    })
  })

  it('creates one job per tick, however many orchestrators are due', async () => {
    const world = new World()
    const config = { ...SCHEDULE, everySeconds: 10 }
    const [first, second] = [schedulesOn([config], { world }), schedulesOn([config], { world })]
    await first.start()
    await second.start()
    await world.clock.advance(20_000)
    expect(first.created).toHaveLength(2)
    expect(second.created).toEqual(first.created)
  })

  it('loses no tick while the storage is away (D-72)', async () => {
    let isAway = true
    const onCreate = (): void => {
      if (isAway) throw new UnavailableError('STORAGE_UNAVAILABLE', { message: 'away' })
    }
    const config = { ...SCHEDULE, everySeconds: 60 }
    const { world, created, start } = schedulesOn([config], { onCreate })
    await start()
    await world.clock.advance(130_000)
    expect(created).toEqual([])
    isAway = false
    await world.clock.advance(60_000)
    const jobs = await jobsOf(world, created)
    const minutes = jobs.map(({ metadata }) => String(metadata['scheduled_at']).slice(11, 16))
    expect(minutes).toEqual(['00:01', '00:02', '00:03'])
  })

  it('whose job was created from other data by another is told, and goes on', async () => {
    const lines: string[] = []
    const log = { ...silentLog, warn: (_: object, message: string) => void lines.push(message) }
    const world = new World()
    const config = { ...SCHEDULE, everySeconds: 10 }
    const older = schedulesOn([config], { world })
    const newer = schedulesOn([{ ...config, initialData: { region: 'us' } }], { world, log })
    await older.start()
    await newer.start()
    await world.clock.advance(20_000)
    expect([older.created.length, newer.created.length]).toEqual([2, 0])
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain("schedule 'nightly'")
  })

  it('that is off does nothing', async () => {
    const { world, created, start } = schedulesOn([
      { ...SCHEDULE, everySeconds: 1, enabled: false },
    ])
    await start()
    await world.clock.advance(5_000)
    expect(created).toEqual([])
  })

  it('follows a pattern in its time zone', async () => {
    const cron = { cron: '0 9 * * *', timezone: 'Asia/Tokyo' }
    const { world, created, start } = schedulesOn([{ ...SCHEDULE, ...cron }])
    await start()
    // The world begins at midnight UTC, which is nine o'clock there.
    await world.pass(25 * 3_600_000, 600_000)
    const [job] = await jobsOf(world, created)
    expect(job?.metadata).toMatchObject({ scheduled_at: '2030-01-02T00:00:00.000Z' })
  })
})

describe('schedules that cannot work', () => {
  it('are all told at once, at the start (D-72)', async () => {
    const problems = await problemsOf(
      { name: 'a b', blueprint: 'report', everySeconds: 1 },
      { name: 'unknown', blueprint: 'rapport', everySeconds: 1 },
      { name: 'neither', blueprint: 'report' },
      { name: 'both', blueprint: 'report', everySeconds: 1, cron: '* * * * *' },
      { name: 'pattern', blueprint: 'report', cron: '61 * * * *' },
      { name: 'zone', blueprint: 'report', cron: '0 9 * * *', timezone: 'Mars/Phobos' },
      { name: 'period', blueprint: 'report', everySeconds: 0.5 },
      { name: 'stray', blueprint: 'report', everySeconds: 5, timezone: 'UTC' },
      { name: 'data', blueprint: 'report', everySeconds: 1, initialData: { region: 7 } },
      { name: 'timeout', blueprint: 'report', everySeconds: 1, dispatchTimeout: 0 },
      { name: 'off', blueprint: 'gone', everySeconds: 1, enabled: false },
      { name: 'both', blueprint: 'report', everySeconds: 1 },
    )
    expect(problems).toEqual([
      "schedule 'both': there are several of this name",
      expect.stringContaining("schedule 'a b': its name may contain only letters"),
      "schedule 'unknown': there is no blueprint 'rapport'",
      "schedule 'neither': give everySeconds or cron; it has neither",
      "schedule 'both': give everySeconds or cron; it has both",
      expect.stringContaining("schedule 'pattern': its cron pattern '61 * * * *' cannot be used"),
      expect.stringContaining("schedule 'zone': there is no time zone 'Mars/Phobos'"),
      "schedule 'period': everySeconds must be a whole number from 1, got 0.5",
      "schedule 'stray': a timezone is for cron only",
      expect.stringMatching(/^schedule 'data': Input validation failed.*region/),
      expect.stringContaining("schedule 'timeout': dispatchTimeout must be more than 0"),
      "schedule 'off': there is no blueprint 'gone'",
    ])
  })
})
