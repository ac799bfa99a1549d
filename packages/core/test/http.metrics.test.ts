import { readFile } from 'node:fs/promises'
import { UnavailableError } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import type { Storage } from '../src/ports/storage.ts'
import { EventSource } from './support/event-source.ts'
import { LiveServer } from './support/live-server.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

function ending(name: string, end: 'finished' | 'failed'): Blueprint {
  return new Blueprint(name)
    .state('start', { start: true }, ({ actions }) => {
      actions.goTo('over')
    })
    .state('over', { end })
}

function sleeper(): Blueprint {
  return new Blueprint('sleeper')
    .state('start', { start: true }, ({ actions }) => {
      actions.sleep({ seconds: 3_600, next: 'over' })
    })
    .state('over', { end: true })
}

async function figures(server: LiveServer): Promise<string> {
  return (await server.call('GET', '/_public/metrics', { as: 'nobody' })).text
}

describe('the metrics', () => {
  // D-31: some ways to end a job were never counted.
  it('count every end once, whatever the cause (D-31)', async () => {
    const server = await LiveServer.start([
      ending('well', 'finished'),
      ending('badly', 'failed'),
      sleeper(),
    ])
    await server.jobIn('finished', await server.create('well'))
    await server.jobIn('failed', await server.create('badly'))
    await server.jobIn('failed', await server.create('sleeper', { job_timeout: 0.05 }))
    const cancelled = await server.create('sleeper')
    await server.call('POST', `/api/v1/jobs/${cancelled}/cancel`)
    await until(async () => (await figures(server)).includes('status="cancelled"} 1'))

    const text = await figures(server)
    for (const line of [
      'orchestrator_jobs_total{blueprint="well"} 1',
      'orchestrator_jobs_total{blueprint="sleeper"} 2',
      'orchestrator_jobs_ended_total{blueprint="well",status="finished"} 1',
      'orchestrator_jobs_ended_total{blueprint="badly",status="failed"} 1',
      'orchestrator_jobs_ended_total{blueprint="sleeper",status="failed"} 1',
      'orchestrator_jobs_ended_total{blueprint="sleeper",status="cancelled"} 1',
      'orchestrator_jobs_failed_total{blueprint="badly"} 1',
      'orchestrator_jobs_timeouts_total{blueprint="sleeper"} 1',
      'orchestrator_job_duration_seconds_count{blueprint="well"} 1',
    ]) {
      expect(text).toContain(line)
    }
    expect(text).not.toContain(cancelled)
  })

  it('tell how many workers there are, and how many tasks wait for one', async () => {
    const waiting = new Blueprint('waiting')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({ type: 'nobody_does_this', transitions: { success: 'over' } })
      })
      .state('over', { end: true })
    const server = await LiveServer.start([waiting])
    await server.employ('w1', ['work'], () => ({}))
    await server.jobIn('waiting_for_worker', await server.create('waiting'))
    const text = await figures(server)
    expect(text).toContain('orchestrator_task_queue_length 1')
    expect(text).toContain('orchestrator_active_workers 1')
  })

  it('count event streams while they are read', async () => {
    const server = await LiveServer.start([sleeper()])
    const jobId = await server.create('sleeper')
    await EventSource.open(server.url, jobId)
    await until(async () => (await figures(server)).includes('orchestrator_job_streams 1'))
    await server.post(`/api/v1/jobs/${jobId}/cancel`)
    await until(async () => (await figures(server)).includes('orchestrator_job_streams 0'))
  })

  it('list no workers, however often they are read', async () => {
    const storage = openStorage()
    let lists = 0
    const watched = overlay(storage, {
      listWorkers: (query) => {
        lists += 1
        return storage.listWorkers(query)
      },
    })
    const server = await LiveServer.start([sleeper()], {}, watched)
    await server.register('w1', 'work')
    const before = lists
    for (let n = 0; n < 5; n += 1) await figures(server)
    expect(lists).toBe(before)
  })

  it('know of a worker that registered with another orchestrator', async () => {
    const storage = openStorage()
    const one = await LiveServer.start([sleeper()], {}, storage)
    const other = await LiveServer.start([sleeper()], {}, storage)
    await one.register('w1', 'work')
    await until(async () => (await figures(other)).includes('orchestrator_active_workers 1'))
  })

  const away = (): Promise<never> => {
    const message = 'The storage is away.'
    return Promise.reject(new UnavailableError('STORAGE_UNAVAILABLE', { message }))
  }

  it.each([
    ['is away', away],
    ['does not answer', () => new Promise<never>(() => undefined)],
  ])('are told without those of the storage while it %s', async (_what, call) => {
    const storage = openStorage()
    const own: Partial<Storage> = {}
    const server = await LiveServer.start([ending('well', 'finished')], {}, overlay(storage, own))
    await server.jobIn('finished', await server.create('well'))
    await until(async () => (await figures(server)).includes('jobs_total{blueprint="well"} 1'))
    expect(await figures(server)).toContain('orchestrator_storage_up 1')
    expect(await figures(server)).toContain('orchestrator_task_queue_length 0')

    Object.assign(own, { countOfferedTasks: call, countSteps: call })
    const reply = await server.get('/_public/metrics', 'nobody')
    expect(reply.status).toBe(200)
    expect(reply.text).toContain('orchestrator_storage_up 0')
    expect(reply.text).toContain('orchestrator_jobs_total{blueprint="well"} 1')
    expect(reply.text).toContain('orchestrator_outbox_length 0')
    expect(reply.text).not.toMatch(/^orchestrator_(task_queue_length|step_|steps_)\S* \d/m)

    Object.assign(own, {
      countOfferedTasks: () => storage.countOfferedTasks(),
      countSteps: () => storage.countSteps(),
    })
    expect(await figures(server)).toContain('orchestrator_storage_up 1')
    expect(await figures(server)).toContain('orchestrator_task_queue_length 0')
  })

  it('are those of the reference, no more and no less', async () => {
    const server = await LiveServer.start([sleeper()])
    const told = [...(await figures(server)).matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    const path = new URL('../../../docs/reference/metrics.md', import.meta.url)
    const described = [...(await readFile(path, 'utf8')).matchAll(/^\| `(\w+)` \| (\w+) \|/gm)]
    const pairs = (all: RegExpMatchArray[]): string[] =>
      all.map(([, name, kind]) => `${String(name)} ${String(kind)}`).sort()
    expect(pairs(told)).toEqual(pairs(described))
  })
})
