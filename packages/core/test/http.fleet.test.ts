/** What clients see of the fleet and of tasks that wait for it, and what admins do with workers. */
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { LiveServer } from './support/live-server.ts'

function render(): Blueprint {
  return new Blueprint('render')
    .state('start', { start: true }, ({ actions }) => {
      const resourceRequirements = { gpu_info: { vram_gb: 24 } }
      const transitions = { success: 'done' }
      actions.dispatchTask({
        type: 'render',
        transitions,
        resourceRequirements,
        dispatchTimeout: 60,
      })
    })
    .state('done', { end: true })
}

function plain(): Blueprint {
  return new Blueprint('plain')
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchTask({ type: 'work', transitions: { success: 'done' } })
    })
    .state('done', { end: true })
}

async function register(server: LiveServer, worker_id: string, said: object): Promise<void> {
  const body = { worker_id, supported_skills: ['work'], ...said }
  const { status, text } = await server.post('/_worker/workers/register', body, 'worker')
  if (status !== 200) throw new Error(text)
}

interface Pending {
  readonly job_id: string
  readonly why: string
  readonly reasons: readonly { readonly reason: string; readonly count: number }[]
}

async function pending(
  server: LiveServer,
  as: 'owner' | 'other' | 'admin' = 'owner',
  query = '',
): Promise<readonly Pending[]> {
  const { body } = await server.get(`/api/v1/tasks/pending${query}`, as)
  return body['tasks'] as readonly Pending[]
}

describe('GET /tasks/pending', () => {
  it('tells how long a task waits, and why nobody takes it, with counts', async () => {
    const server = await LiveServer.start([render()])
    await register(server, 'w-1', {})
    await register(server, 'w-2', {})
    const card = { gpu_info: { model: 'x', vram_gb: 8 } }
    await register(server, 'w-3', { supported_skills: ['render'], resources: card })
    const jobId = await server.create('render')
    await until(async () => (await pending(server)).length === 1)
    const [task] = await pending(server)
    expect(task).toMatchObject({
      job_id: jobId,
      blueprint_name: 'render',
      type: 'render',
      branch: null,
      attempt: 1,
      workers: 3,
      reasons: [
        { reason: 'skill', count: 2, text: "does not offer the skill 'render'" },
        { reason: 'resources', count: 1, text: 'has too little VRAM (needs 24, has 8)' },
      ],
    })
    expect(task?.why).toBe(
      "of 3 workers, 2 do not offer the skill 'render', 1 has too little VRAM (needs 24, has 8)",
    )
  })

  it('shows a client its own, and an admin those of all', async () => {
    const server = await LiveServer.start([plain()])
    await server.create('plain', {}, 'owner')
    await server.create('plain', {}, 'other')
    await server.create('plain', {}, 'other')
    await until(async () => (await pending(server, 'admin')).length === 3)
    expect(await pending(server, 'owner')).toHaveLength(1)
    expect(await pending(server, 'other')).toHaveLength(2)
    expect(await pending(server, 'admin', '?limit=2')).toHaveLength(2)
    expect((await server.get('/api/tasks/pending', 'nobody')).status).toBe(401)
    expect((await server.get('/api/tasks/pending?limit=0')).status).toBe(422)
  })

  it('shows nothing of a task that a worker has', async () => {
    const server = await LiveServer.start([plain()])
    await server.register('w-1', 'work')
    await server.create('plain')
    await server.take('w-1')
    expect(await pending(server)).toEqual([])
  })
})

describe('the view of a job', () => {
  it('says why its task is not taken, once that takes longer than a moment', async () => {
    const server = await LiveServer.start([plain()])
    const jobId = await server.create('plain')
    await server.jobIn('waiting_for_worker', jobId)
    expect((await server.job(jobId))['pending_tasks']).toEqual([])
    await until(async () => ((await server.job(jobId))['pending_tasks'] as unknown[]).length > 0)
    const job = await server.job(jobId)
    expect(job['pending_tasks']).toMatchObject([{ job_id: jobId, why: 'no worker is registered' }])
  })
})

describe('GET /workers/catalog', () => {
  it('tells what can be had, from how many, at what price', async () => {
    const server = await LiveServer.start([plain()])
    const described = { name: 'work', version: '2', description: 'Works.', price: 3 }
    await register(server, 'w-1', { worker_type: 'cpu', cost_per_second: 4 })
    const capabilities = { cost_per_skill: { work: 1.5 }, hostname: 'secret-host' }
    await register(server, 'w-2', {
      worker_type: 'gpu',
      supported_skills: [described],
      capabilities,
    })
    const { status, body, text } = await server.get('/api/v1/workers/catalog')
    expect([status, body]).toEqual([
      200,
      {
        work: {
          contract: described,
          providers_count: 2,
          available_count: 2,
          versions: ['2'],
          worker_types: ['cpu', 'gpu'],
          price: { min: 1.5, max: 4 },
          average_reputation: 1,
        },
      },
    ])
    expect(text).not.toContain('secret-host')
    expect((await server.get('/api/workers/catalog', 'nobody')).status).toBe(401)
  })
})

describe('POST /workers/{id}/drain', () => {
  it('is for admins', async () => {
    const server = await LiveServer.start([plain()])
    await server.register('w-1', 'work')
    for (const act of ['drain', 'evict']) {
      const { status, body } = await server.post(`/api/v1/workers/w-1/${act}`)
      expect([status, body['code']]).toEqual([403, 'FORBIDDEN'])
      const unknown = await server.post(`/api/v1/workers/none/${act}`, undefined, 'admin')
      expect([unknown.status, unknown.body['code']]).toEqual([404, 'WORKER_NOT_FOUND'])
    }
  })

  it('lets a worker finish and gives it nothing more, whatever it says, until it is undone', async () => {
    const server = await LiveServer.start([plain()])
    await server.register('w-1', 'work')
    await server.create('plain')
    const task = await server.take('w-1')
    const drained = await server.post('/api/v1/workers/w-1/drain', undefined, 'admin')
    expect([drained.status, drained.body]).toEqual([200, { status: 'draining', worker_id: 'w-1' }])
    expect((await server.report('w-1', task, { status: 'success' })).body['status']).toBe(
      'accepted',
    )
    await server.call('PATCH', '/_worker/workers/w-1', { as: 'worker', body: { status: 'idle' } })
    await server.register('w-1', 'work')
    await server.create('plain')
    const path = '/_worker/workers/w-1/tasks/next?timeout=0'
    expect((await server.get(path, 'worker')).status).toBe(204)
    await until(async () => (await pending(server)).length === 1)
    expect((await pending(server))[0]?.reasons).toMatchObject([{ reason: 'draining', count: 1 }])
    const { body: workers } = await server.get('/api/v1/workers')
    expect(workers).toMatchObject([{ worker_id: 'w-1', status: 'draining' }])
    await server.post('/api/v1/workers/w-1/drain', { drain: false }, 'admin')
    await server.take('w-1')
  })

  it('refuses a body that makes no sense', async () => {
    const server = await LiveServer.start([plain()])
    const { status } = await server.post('/api/v1/workers/w-1/drain', { drain: 'yes' }, 'admin')
    expect(status).toBe(422)
  })
})

describe('POST /workers/{id}/evict', () => {
  it('offers what the worker holds again, and makes it register anew (W7)', async () => {
    const server = await LiveServer.start([plain()])
    await server.register('w-1', 'work')
    await server.register('w-2', 'work')
    const jobId = await server.create('plain')
    const task = await server.take('w-1')
    const evicted = await server.post('/api/v1/workers/w-1/evict', undefined, 'admin')
    expect([evicted.status, evicted.body]).toEqual([200, { status: 'evicted', worker_id: 'w-1' }])
    const again = await server.take('w-2')
    expect(again.job_id).toBe(jobId)
    expect((await server.report('w-1', task, { status: 'success' })).body['status']).toBe('ignored')
    const next = await server.get('/_worker/workers/w-1/tasks/next?timeout=0', 'worker')
    expect([next.status, next.body['code']]).toEqual([404, 'WORKER_NOT_FOUND'])
    await server.register('w-1', 'work')
    expect((await server.get('/_worker/workers/w-1/tasks/next?timeout=0', 'worker')).status).toBe(
      204,
    )
  })

  it('sends a poll home that waits', async () => {
    const server = await LiveServer.start([plain()])
    await server.register('w-1', 'work')
    const polled = server.get('/_worker/workers/w-1/tasks/next?timeout=2', 'worker')
    await until(async () => {
      await server.post('/api/v1/workers/w-1/evict', undefined, 'admin')
      const { body } = await server.get('/api/v1/workers')
      return (body as unknown as unknown[]).length === 0
    })
    expect((await polled).status).toBe(404)
  })
})
