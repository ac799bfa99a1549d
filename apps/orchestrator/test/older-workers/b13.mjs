/** A worker of the second generation: every field is sent, null or not; it hears commands by WebSocket. */
import { ask as send, cancel, currentTasks, listen, settings, work } from './wire.mjs'

const { workerId } = settings
const headers = { 'x-rxon-version': '1.0b3' }
const supportedSkills = ['common', 'only_b13']
// Its SDK dials without an id, so it is known by what it says.
const say = listen('/_worker/ws', headers, ({ command, task_id: taskId }) => {
  if (command === 'cancel_task') cancel(taskId)
})
const ask = (method, path, body) => send(method, path, { headers, body })

await work({
  register: async () => {
    const body = {
      worker_id: workerId,
      worker_type: 'older',
      supported_skills: supportedSkills,
      resources: { max_concurrent_tasks: 1, cpu_cores: 4, gpu_info: null },
      installed_software: { python: '3.11' },
      installed_models: [],
      capabilities: {
        hostname: 'older',
        ip_address: '10.0.0.1',
        cost_per_skill: {},
        s3_config_hash: null,
        extra: { websockets: true },
      },
    }
    return (await ask('POST', '/_worker/workers/register', body)).status
  },
  poll: () => ask('GET', `/_worker/workers/${workerId}/tasks/next`),
  beat: () => {
    const tasks = currentTasks()
    return ask('PATCH', `/_worker/workers/${workerId}`, {
      worker_id: workerId,
      status: tasks.length > 0 ? 'busy' : 'idle',
      load: tasks.length + 0.5,
      current_tasks: tasks,
      supported_skills: tasks.length > 0 ? [] : supportedSkills,
      hot_cache: [],
      skill_dependencies: null,
      hot_skills: null,
    })
  },
  progress: ({ task_id, job_id }, progress, message) =>
    say({ event: 'progress_update', task_id, job_id, progress, message }),
  report: async ({ task_id, job_id }, { status, data = null }) => {
    const body = {
      job_id,
      task_id,
      worker_id: workerId,
      status,
      data,
      error: null,
      data_metadata: null,
    }
    return (await ask('POST', '/_worker/tasks/result', body)).status
  },
})
