/** A worker of the first generation: tasks by name, results in `result`, progress by WebSocket. */
import { ask, cancel, listen, settings, work } from './wire.mjs'

const { workerId } = settings
const supportedTasks = ['common', 'only_fork']
const say = listen(`/_worker/ws/${workerId}`, {}, ({ type, task_id: taskId }) => {
  // Its SDK looks for the kind of a command here.
  if (type === 'cancel_task') cancel(taskId)
})

await work({
  register: async () => {
    const body = {
      worker_id: workerId,
      worker_type: 'older',
      supported_tasks: supportedTasks,
      max_concurrent_tasks: 1,
      installed_models: [{ name: 'sdxl', version: '1.0' }],
      resources: { cpu_cores: 4, gpu_info: { model: 'RTX 4090', vram_gb: 24 } },
      hostname: 'older',
      ip_address: '10.0.0.1',
    }
    return (await ask('POST', '/_worker/workers/register', { body })).status
  },
  poll: () => ask('GET', `/_worker/workers/${workerId}/tasks/next`),
  beat: () => {
    const body = { load: 0, status: 'idle', supported_tasks: supportedTasks, hot_cache: [] }
    return ask('PATCH', `/_worker/workers/${workerId}`, { body })
  },
  progress: ({ task_id, job_id }, progress, message) =>
    say({ type: 'progress_update', task_id, job_id, progress, message }),
  report: async ({ task_id, job_id }, result) => {
    const body = { job_id, task_id, worker_id: workerId, result }
    return (await ask('POST', '/_worker/tasks/result', { body })).status
  },
})
