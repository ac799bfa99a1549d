/** A worker of the third generation: skills with contracts; fields with their default value are left out. */
import { randomUUID } from 'node:crypto'
import { ask as send, currentTasks, settings, work } from './wire.mjs'

const { workerId } = settings
const headers = { 'x-rxon-version': '1.0b14', 'x-worker-id': workerId }
const input = { type: 'object', properties: { ms: { type: 'integer' } }, required: ['ms'] }
const skills = ['common', 'only_head'].map((name) => ({
  name,
  type: name,
  version: '1.0',
  input_schema: input,
  price: 3,
}))
const now = () => Math.floor(Date.now() / 1_000)
const ask = (method, path, body) => send(method, path, { headers, body })

await work({
  register: async () => {
    const body = {
      worker_id: workerId,
      worker_type: 'older',
      supported_skills: skills,
      available_skills: skills.map(({ name }) => name),
      resources: { devices: [], properties: { cpu_cores: 4, ram_gb: 16 } },
      installed_artifacts: [{ name: 'sdxl', version: '1.0', type: 'model' }],
      capabilities: { hostname: 'older', ip_address: '10.0.0.1', extra: { websockets: false } },
      skills_hash: 'a-hash-of-the-skills',
      metadata: {},
      timestamp: now(),
    }
    return (await ask('POST', '/_worker/workers/register', body)).status
  },
  poll: () => {
    const query = 'timeout=5&available_skills=common,only_head&hot_skills='
    return ask('GET', `/_worker/workers/${workerId}/tasks/next?${query}`)
  },
  beat: async () => {
    const tasks = currentTasks()
    const answer = await ask('PATCH', `/_worker/workers/${workerId}`, {
      worker_id: workerId,
      status: tasks.length > 0 ? 'busy' : 'idle',
      usage: { cpu_load_percent: 3.5, ram_used_gb: 1 },
      current_tasks: tasks,
      available_skills: tasks.length > 0 ? [] : skills.map(({ name }) => name),
      skills_hash: 'a-hash-of-the-skills',
      timestamp: now(),
    })
    return answer
  },
  progress: ({ task_id, job_id }, progress, message) =>
    ask('POST', '/_worker/events', {
      event_id: randomUUID(),
      worker_id: workerId,
      origin_worker_id: workerId,
      event_type: 'progress',
      payload: { progress, message },
      target_job_id: job_id,
      target_task_id: task_id,
      bubbling_chain: [],
      timestamp: now(),
    }),
  report: async ({ task_id, job_id }, { status, data }) => {
    const body = {
      job_id,
      task_id,
      worker_id: workerId,
      ...(status !== 'success' && { status }),
      ...(data !== undefined && { data }),
      timestamp: now(),
    }
    return (await ask('POST', '/_worker/tasks/result', body)).status
  },
})
