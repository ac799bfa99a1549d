import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { LiveServer } from './support/live-server.ts'

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
})
