/** The acceptance plan F1 to F14: two real processes, and HTTP as a user types it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Program } from '../demo/program.ts'
import { addressOf, Http, said, startOrchestrator, startWorker, WORKER_ID } from './stack.ts'

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

describe('the local plan', () => {
  let orchestrator: Program
  let worker: Program
  let url: string
  let http: Http
  const programs: Program[] = []

  beforeAll(async () => {
    orchestrator = startOrchestrator()
    programs.unshift(orchestrator)
    url = await addressOf(orchestrator)
    http = new Http(url)
    worker = startWorker(url)
    programs.unshift(worker)
    await said(worker, /registered/i)
  })

  afterAll(async () => {
    for (const program of programs) await program.stop()
  })

  it('F1: says where it runs, how to create and read a job, and which header to send', () => {
    expect(orchestrator.output).toContain(`running on ${url}`)
    expect(orchestrator.output).toContain('POST /api/v1/jobs/test')
    expect(orchestrator.output).toContain('GET /api/v1/jobs/{id}')
    expect(orchestrator.output).toContain('X-Client-Token')
  })

  it('F2: answers its status without a token', async () => {
    const anyone = new Http(url, {})
    expect(await anyone.get('/_public/status')).toEqual({ status: 200, body: { status: 'ok' } })
  })

  it('F3: the worker says who it is and where it goes; a registration is answered as ever', async () => {
    expect(worker.output).toContain(WORKER_ID)
    expect(worker.output).toContain(url)
    await said(orchestrator, /worker registered.*local-test-worker.*echo_task/)
    const other = new Http(url, { 'X-Worker-Token': 'test-worker-token' })
    const reply = await other.post('/_worker/workers/register', {
      worker_id: 'older-worker',
      worker_type: 'test-worker',
      supported_tasks: ['something_else'],
    })
    expect(reply).toMatchObject({ status: 200, body: { status: 'registered' } })
  })

  it('F4, F5, F6: a job is accepted, done by the worker, and read with its result', async () => {
    const reply = await http.post('/api/v1/jobs/test', { message: 'Hello World', multiply: 3 })
    expect(reply).toEqual({
      status: 202,
      body: { status: 'accepted', job_id: expect.stringMatching(UUID) },
    })
    const { job_id: jobId } = reply.body as { job_id: string }
    const result = {
      processed_message: 'Hello World Hello World Hello World',
      original_message: 'Hello World',
      multiplied_by: 3,
    }
    const job = await http.endOf(jobId)
    expect(job).toMatchObject({
      id: jobId,
      blueprint_name: 'test_flow',
      current_state: 'completed',
      initial_data: { message: 'Hello World', multiply: 3 },
      state_history: result,
      status: 'finished',
      result,
      retry_count: 0,
      task_worker_id: WORKER_ID,
    })
    expect(await said(worker, new RegExp(jobId))).toBe(jobId)
    expect(JSON.stringify(job)).not.toContain('test-client-token')
    expect(JSON.stringify(job)).not.toContain('test-worker-token')
  })

  it('F7: lists the worker', async () => {
    const { status, body } = await http.get('/api/v1/workers')
    expect(status).toBe(200)
    expect(body).toContainEqual(
      expect.objectContaining({
        worker_id: WORKER_ID,
        worker_type: 'test-worker',
        supported_tasks: ['echo_task'],
        max_concurrent_tasks: 5,
        reputation: 1,
      }),
    )
  })

  it('F8: tries a failing task four times, then sets the job aside', async () => {
    const jobId = await http.createJob({ message: 'x', fail: true })
    const job = await http.endOf(jobId)
    expect(job).toMatchObject({
      status: 'quarantined',
      current_state: 'start',
      retry_count: 3,
      error_message: 'Task failed after 4 attempts: Intentional failure for testing',
      error: { code: 'TRANSIENT_ERROR' },
    })
    const { body } = await http.get('/_public/jobs/quarantined')
    expect(body).toContain(jobId)
  })

  it('F9: works on five jobs at a time, each with its own result', async () => {
    const startedAt = Date.now()
    const ids = await Promise.all(
      [1, 2, 3, 4, 5].map((i) => http.createJob({ message: `Message ${String(i)}`, multiply: i })),
    )
    expect(new Set(ids).size).toBe(5)
    const jobs = await Promise.all(ids.map((id) => http.endOf(id)))
    expect(jobs.map(({ status }) => status)).toEqual(Array(5).fill('finished'))
    expect(jobs.map(({ result }) => result)).toMatchObject(
      [1, 2, 3, 4, 5].map((i) => ({
        processed_message: Array(i)
          .fill(`Message ${String(i)}`)
          .join(' '),
      })),
    )
    // One after the other would be five seconds and more.
    expect(Date.now() - startedAt).toBeLessThan(4_000)
  })

  it('F10: lets nobody in with a wrong token, or with none', async () => {
    const wrong = new Http(url, { 'X-Avtomatika-Token': 'wrong' })
    const none = new Http(url, {})
    for (const path of ['/api/v1/jobs/x', '/api/v1/workers']) {
      expect(await wrong.get(path)).toMatchObject({
        status: 401,
        body: { error: 'Unauthorized: Invalid token', code: 'INVALID_TOKEN' },
      })
      expect(await none.get(path)).toMatchObject({
        status: 401,
        body: { error: 'Missing X-Client-Token header', code: 'MISSING_TOKEN' },
      })
    }
  })

  it('F12: tells a worker with a wrong token so', async () => {
    const stranger = startWorker(url, { WORKER_ID: 'stranger', WORKER_TOKEN: 'wrong-token' })
    try {
      await said(stranger, /Unauthorized: No valid token found/)
      expect(stranger.output).not.toContain('wrong-token')
    } finally {
      await stranger.stop()
    }
    const { body } = await http.get('/api/v1/workers')
    expect(body).not.toContainEqual(expect.objectContaining({ worker_id: 'stranger' }))
  })

  it('F14: shows which worker has the task while it works', async () => {
    const jobId = await http.createJob({ message: 'slow', multiply: 1 })
    const job = await http.jobThat(jobId, ({ task_worker_id: holder }) => holder !== null)
    expect(job).toMatchObject({
      status: 'waiting_for_worker',
      task_worker_id: WORKER_ID,
      current_task_info: { type: 'echo_task', attempt: 1 },
      current_task_transitions: { success: 'completed', failure: 'failed' },
    })
    expect(await http.endOf(jobId)).toMatchObject({ status: 'finished' })
  })
})
