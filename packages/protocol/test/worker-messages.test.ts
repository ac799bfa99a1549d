import { describe, expect, it } from 'vitest'

import {
  cancelTaskCommand,
  DEFAULT_MAX_CONCURRENT_TASKS,
  InputError,
  normaliseEvent,
  normaliseHeartbeat,
  normaliseRegistration,
  normaliseResult,
  parseCommand,
  parsePollQuery,
  parsePollReply,
  parseProgress,
} from '../src/index.ts'
import { readFixture } from './fixtures.ts'

describe('normaliseRegistration', () => {
  it('folds the first generation: task names, slots, host and cost at the top', () => {
    expect(normaliseRegistration(readFixture('WorkerRegistration.fork'))).toMatchObject({
      workerId: 'cpu-worker-01',
      workerType: 'cpu_worker',
      skills: [{ name: 'resize' }, { name: 'transcode' }],
      maxConcurrentTasks: 4,
      installedModels: [{ name: 'sdxl', version: '1.0' }],
      capabilities: {
        hostname: 'node-7',
        ipAddress: '10.0.0.7',
        costPerSecond: 0.25,
        costPerSkill: {},
        websockets: true,
      },
      status: 'idle',
    })
  })

  it('folds the second: slots in resources, host and cost in capabilities, nulls for absent', () => {
    const registration = normaliseRegistration(readFixture('WorkerRegistration.b13'))
    expect(registration).toMatchObject({
      skills: [{ name: 'resize' }],
      maxConcurrentTasks: 2,
      installedSoftware: { python: '3.11' },
      capabilities: { hostname: 'node-8', costPerSkill: { resize: 0.5 }, websockets: true },
    })
    expect(registration.capabilities).not.toHaveProperty('s3ConfigHash')
  })

  it('folds the newest: described skills, artifacts, defaults left out', () => {
    expect(normaliseRegistration(readFixture('WorkerRegistration.head'))).toMatchObject({
      workerType: 'generic',
      skills: [
        { name: 'resize', type: 'image', version: '2.1.0', inputSchema: { type: 'object' } },
      ],
      availableSkills: ['resize'],
      hotSkills: ['resize'],
      skillsHash: '9f2c',
      maxConcurrentTasks: DEFAULT_MAX_CONCURRENT_TASKS,
      installedModels: [{ name: 'sdxl', version: 'unknown', properties: { precision: 'fp16' } }],
      capabilities: { websockets: false },
    })
  })

  it('keeps the message as it was sent', () => {
    const sent = readFixture('WorkerRegistration.fork')
    expect(normaliseRegistration(sent).raw).toEqual(sent)
  })

  it('prefers a description over the bare name of the same skill', () => {
    const { skills } = normaliseRegistration({
      worker_id: 'w',
      supported_tasks: ['a', 'b', 'b'],
      supported_skills: [{ name: 'a', version: '1' }],
    })
    expect(skills).toEqual([{ name: 'b' }, { name: 'a', version: '1' }])
  })

  it('takes the fixed cost of a skill from `cost` when it is given by skill', () => {
    const { capabilities } = normaliseRegistration({ worker_id: 'w', cost: { a: 2 } })
    expect(capabilities).toMatchObject({ costPerSkill: { a: 2 } })
    expect(capabilities).not.toHaveProperty('costPerSecond')
  })

  it.each(['', 'a b', 'a/b', 'ä', 'x'.repeat(129), 7, null])('refuses worker id %j', (workerId) => {
    expect(() => normaliseRegistration({ worker_id: workerId })).toThrow(/worker_id/)
  })

  it('names the path of a wrong type', () => {
    const body = { worker_id: 'w', resources: { devices: [{ type: 'gpu' }, { type: 7 }] } }
    expect(() => normaliseRegistration(body)).toThrow(/resources\.devices\[1\]\.type/)
  })
})

describe('normaliseResult', () => {
  it('lifts the nested result of the first generation', () => {
    expect(normaliseResult(readFixture('TaskResult.fork'))).toEqual({
      jobId: '7c1f',
      taskId: '0d9e8c1a',
      workerId: 'cpu-worker-01',
      status: 'failure',
      error: { code: 'TRANSIENT_ERROR', message: 'disk full' },
    })
  })

  it('reads the flat result of the second, where null means absent', () => {
    expect(normaliseResult(readFixture('TaskResult.b13'))).toEqual({
      jobId: '7c1f',
      taskId: '7c1f',
      workerId: 'gpu-1',
      status: 'failure',
      error: { code: 'PERMANENT_ERROR', message: 'no such codec', details: { codec: 'x' } },
    })
  })

  it('takes a missing status for success', () => {
    expect(normaliseResult(readFixture('TaskResult.head'))).toMatchObject({
      status: 'success',
      data: { url: 's3://b/out' },
      dataMetadata: { url: { size: 99 } },
    })
  })

  it('tells which attempt it is for and when to try again (D-13, D-14, D-28)', () => {
    expect(normaliseResult(readFixture('TaskResult.ours'))).toMatchObject({
      attempt: 2,
      error: { code: 'LIMIT_EXCEEDED_ERROR', retryAfterMs: 20_000 },
    })
  })

  it('takes an error that is only a text for transient', () => {
    const result = normaliseResult({ job_id: 'j', task_id: 't', status: 'failure', error: 'boom' })
    expect(result.error).toEqual({ code: 'TRANSIENT_ERROR', message: 'boom' })
  })

  it.each([[[1, 2]], ['text'], [0], [false]])('passes data that is no object: %j', (data) => {
    expect(normaliseResult({ job_id: 'j', task_id: 't', data }).data).toEqual(data)
  })

  it('lets what is said at the top win over the box, and keeps custom statuses', () => {
    const body = {
      job_id: 'j',
      task_id: 't',
      status: 'needs_review',
      result: { status: 'success' },
    }
    expect(normaliseResult(body).status).toBe('needs_review')
  })

  it.each(['job_id', 'task_id'])('refuses a result without %s', (missing) => {
    const body = { job_id: 'j', task_id: 't', [missing]: undefined }
    expect(() => normaliseResult(body)).toThrow(missing)
  })

  it('names the path inside the box', () => {
    const body = { job_id: 'j', task_id: 't', result: { status: 7 } }
    expect(() => normaliseResult(body)).toThrow(/result\.status/)
  })
})

describe('normaliseHeartbeat', () => {
  it.each([undefined, null, '', 'ping', [], {}])('takes %j for an empty heartbeat', (body) => {
    expect(normaliseHeartbeat(body)).toEqual({ empty: true })
  })

  it('reads the first generation', () => {
    expect(normaliseHeartbeat(readFixture('HeartbeatMessage.fork'))).toMatchObject({
      empty: false,
      status: 'busy',
      load: 1,
      skills: [{ name: 'resize' }],
      hotCache: ['sdxl'],
    })
  })

  it('refuses a list of tasks that no worker can be at work on', () => {
    const tasks = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n))
    expect(normaliseHeartbeat({ current_tasks: tasks(10_000) }).currentTasks).toHaveLength(10_000)
    expect(() => normaliseHeartbeat({ current_tasks: tasks(10_001) })).toThrow('current_tasks')
  })

  it('does not mistake "not said" for "none" (D-45)', () => {
    expect(normaliseHeartbeat(readFixture('HeartbeatMessage.fork'))).not.toHaveProperty(
      'currentTasks',
    )
    expect(normaliseHeartbeat({ current_tasks: [] }).currentTasks).toEqual([])
    expect(normaliseHeartbeat({ current_tasks: null })).not.toHaveProperty('currentTasks')
  })

  it('reads the newest', () => {
    expect(normaliseHeartbeat(readFixture('HeartbeatMessage.head'))).toMatchObject({
      status: 'full',
      currentTasks: ['task-0d9e8c1a'],
      availableSkills: [],
      usage: { cpu_load_percent: 93.5 },
      skills: [{ name: 'resize', version: '2.1.0' }],
    })
  })

  it('takes hot skills as names or as descriptions', () => {
    expect(normaliseHeartbeat({ hot_skills: [{ name: 'a' }, 'b', 'a'] }).hotSkills).toEqual([
      'a',
      'b',
    ])
  })
})

describe('parsePollQuery', () => {
  it('has defaults for everything', () => {
    expect(parsePollQuery({})).toEqual({ max: 1, batch: false })
  })

  it('reads seconds, comma lists and the size of a batch', () => {
    const query = { timeout: '2.5', available_skills: 'a, b,,a', hot_skills: '', max: '999' }
    expect(parsePollQuery(query)).toEqual({
      timeoutMs: 2500,
      availableSkills: ['a', 'b'],
      hotSkills: [],
      max: 100,
      batch: true,
    })
  })

  it.each([
    { timeout: '-1' },
    { timeout: '1e9' },
    { timeout: 'NaN' },
    { max: '0' },
    { max: '1.5' },
  ])('refuses %j', (query) => {
    expect(() => parsePollQuery(query)).toThrow(InputError)
  })
})

describe('parsePollReply', () => {
  it.each([undefined, null, '', {}])('takes %j for no task', (body) => {
    expect(parsePollReply(body)).toEqual([])
  })

  it('reads one task or a batch', () => {
    const task = readFixture('TaskPayload.ours')
    expect(parsePollReply(task)).toEqual([task])
    expect(parsePollReply({ tasks: [task, task] })).toEqual([task, task])
  })

  it('says that the peer, not the caller, is at fault for a broken task', () => {
    expect(() => parsePollReply({ job_id: 'j' })).toThrow(
      expect.objectContaining({ code: 'UNEXPECTED_RESPONSE' }),
    )
  })
})

describe('normaliseEvent', () => {
  it('reads an event', () => {
    expect(normaliseEvent(readFixture('WorkerEvent.head'), 'gpu-2')).toEqual({
      eventId: '2d8c8d8e-0000-4000-8000-000000000001',
      workerId: 'gpu-2',
      originWorkerId: 'gpu-2',
      eventType: 'progress',
      payload: { progress: 0.4, message: 'decoding' },
      jobId: '7c1f',
      taskId: 'task-0d9e8c1a',
      priority: 0,
    })
  })

  it.each(['event', 'type'])('folds the progress frame keyed by `%s`', (key) => {
    const frame = {
      [key]: 'progress_update',
      task_id: 't',
      job_id: 'j',
      progress: 0.5,
      message: '',
    }
    const event = normaliseEvent(frame, 'w')
    expect(event).toMatchObject({ workerId: 'w', eventType: 'progress', jobId: 'j', taskId: 't' })
    expect(parseProgress(event.payload)).toEqual({ progress: 0.5 })
  })

  it('reads job and task under the names that tasks use', () => {
    expect(normaliseEvent(readFixture('WorkerEvent.ours'), 'gpu-2')).toEqual({
      eventId: 'task-0d9e8c1a:3',
      workerId: 'gpu-2',
      originWorkerId: 'gpu-2',
      eventType: 'low_confidence',
      payload: { score: 0.31 },
      jobId: '7c1f',
      taskId: 'task-0d9e8c1a',
      priority: 0,
    })
  })

  it('believes the target when an event names another job and task as well', () => {
    const event = {
      event_type: 'x',
      target_job_id: 'target',
      job_id: 'own',
      target_task_id: null,
      task_id: 'own-task',
      origin_task_id: 'origin',
    }
    expect(normaliseEvent(event, 'w')).toMatchObject({ jobId: 'target', taskId: 'own-task' })
    expect(normaliseEvent({ event_type: 'x', origin_task_id: 'o' }, 'w')).toEqual({
      workerId: 'w',
      originWorkerId: 'w',
      eventType: 'x',
      payload: {},
      taskId: 'o',
      priority: 0,
    })
  })

  it.each(['job_id', 'task_id', 'event_id', 'payload'])('refuses a %s of a wrong type', (field) => {
    expect(() => normaliseEvent({ event_type: 'x', [field]: 7 }, 'w')).toThrow(field)
  })

  it('refuses an event that does not say what it is', () => {
    expect(() => normaliseEvent({ event_id: 'e', worker_id: 'w' }, 'w')).toThrow(/event_type/)
  })

  it.each([undefined, 'half', {}, { progress: '0.5' }, { progress: Number.NaN }])(
    'finds no progress in %j',
    (payload) => {
      expect(parseProgress(payload)).toBeUndefined()
    },
  )
})

describe('commands', () => {
  it('are named under both keys, so that every generation finds the name', () => {
    expect(cancelTaskCommand('j', 't')).toEqual(
      expect.objectContaining({ command: 'cancel_task', type: 'cancel_task' }),
    )
  })

  it.each(['fork', 'b13', 'ours'])('are read as %s servers send them', (sender) => {
    expect(parseCommand(readFixture(`WorkerCommand.${sender}`)).name).toBe('cancel_task')
  })
})
