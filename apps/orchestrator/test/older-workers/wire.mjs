/** What the scripts have in common: HTTP, one task after the other, and telling the test. */
import { request } from 'node:http'
import { clearInterval, setInterval } from 'node:timers'

const { AbortController, WebSocket } = globalThis

/** Where it works and as whom. */
export const settings = JSON.parse(process.argv[2] ?? '{}')

export function tell(said) {
  process.send?.({ workerId: settings.workerId, ...said })
}

/** Status and body of an answer; status 0 when there was none. */
export function ask(method, path, { headers, body } = {}) {
  const text = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve) => {
    const sent = request(new URL(path, settings.url), {
      method,
      headers: {
        'x-worker-token': settings.token,
        ...headers,
        ...(text !== undefined && { 'content-type': 'application/json' }),
      },
    })
    sent.on('error', () => resolve({ status: 0, body: null }))
    sent.on('response', (response) => {
      let answer = ''
      response.setEncoding('utf8')
      response.on('data', (part) => (answer += part))
      response.on('error', () => resolve({ status: 0, body: null }))
      response.on('end', () => {
        const body = answer === '' ? null : JSON.parse(answer)
        resolve({ status: response.statusCode, body })
      })
    })
    sent.end(text)
  })
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A connection for what the orchestrator says in between; made again when it breaks. */
export function listen(path, headers, onFrame) {
  const url = new URL(path, settings.url.replace('http', 'ws'))
  let socket
  const open = () => {
    socket = new WebSocket(url, { headers: { 'x-worker-token': settings.token, ...headers } })
    socket.addEventListener('open', () => tell({ kind: 'connected' }))
    socket.addEventListener('message', ({ data }) => onFrame(JSON.parse(data)))
    socket.addEventListener('error', () => undefined)
    socket.addEventListener('close', () => setTimeout(open, 200))
  }
  open()
  return (frame) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
  }
}

/** The task at work, if any. */
let current = null

export function currentTasks() {
  return current === null ? [] : [current.task.task_id]
}

export function cancel(taskId) {
  if (current?.task.task_id === taskId) current.abort.abort()
}

/**
 * Works for ever.
 * @param worker.register - answers the status.
 * @param worker.poll - answers the status and perhaps a task.
 * @param worker.beat - answers the status and perhaps ids of tasks to cancel.
 * @param worker.progress - tells how far a task is.
 * @param worker.report - sends the result; answers the status.
 */
export async function work(worker) {
  process.once('disconnect', () => process.exit())
  let isRegistered = false
  setInterval(async () => {
    if (!isRegistered) return
    const { status, body } = await worker.beat()
    if (status === 404) isRegistered = false
    for (const taskId of body?.cancel_task_ids ?? []) cancel(taskId)
  }, 300)
  for (;;) {
    if (!isRegistered) {
      isRegistered = (await worker.register()) === 200
      if (isRegistered) tell({ kind: 'registered' })
      else await pause(200)
      continue
    }
    const { status, body } = await worker.poll()
    if (status === 404) isRegistered = false
    else if (status === 200 && body?.task_id) await perform(worker, body)
    else if (status !== 204) await pause(200)
  }
}

async function perform(worker, task) {
  current = { task, abort: new AbortController() }
  const { signal } = current.abort
  tell({ kind: 'began', jobId: task.job_id })
  // An older orchestrator, and ours, takes what is told after its acquaintance has been made.
  const told = setInterval(() => worker.progress(task, 0.5, 'half'), 100)
  await Promise.race([
    pause(task.params.ms),
    new Promise((resolve) => signal.addEventListener('abort', resolve)),
  ])
  clearInterval(told)
  if (signal.aborted) tell({ kind: 'cancelled', jobId: task.job_id })
  const outcome = signal.aborted
    ? { status: 'cancelled' }
    : { status: 'success', data: { by: settings.workerId } }
  while (![200, 400, 404, 422].includes(await worker.report(task, outcome))) await pause(200)
  current = null
}
