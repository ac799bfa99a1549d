/** A worker that says over HTTP exactly what a test wants it to say. */
import { PATHS } from '@avtomatika/protocol'
import { TOKENS } from './program.ts'

export interface RawTask {
  readonly job_id: string
  readonly task_id: string
  readonly attempt: number
}

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export class RawWorker {
  readonly workerId: string
  readonly #url: string

  /** @param url - of the orchestrator that it talks to, unless told otherwise. */
  constructor(url: string, workerId: string) {
    this.#url = url
    this.workerId = workerId
  }

  async register(): Promise<void> {
    const body = { worker_id: this.workerId, supported_skills: ['work'], max_concurrent_tasks: 50 }
    const { status } = await this.#send('POST', PATHS.registerWorker, { body })
    if (status !== 200) throw new Error(`The registration was answered with ${status}.`)
  }

  /** Asks until it has got so many tasks. */
  async take(count: number): Promise<readonly RawTask[]> {
    const tasks: RawTask[] = []
    while (tasks.length < count) {
      const path = `${PATHS.pollTask(this.workerId)}?timeout=5&max=${count - tasks.length}`
      const { status, body } = await this.#send('GET', path, {})
      if (status !== 200 && status !== 204) throw new Error(`A poll was answered with ${status}.`)
      tasks.push(...((body['tasks'] ?? []) as RawTask[]))
    }
    return tasks
  }

  async takeOne(): Promise<RawTask> {
    const [task] = await this.take(1)
    if (task === undefined) throw new Error('No task came.')
    return task
  }

  beat(currentTasks: readonly string[]): Promise<Answer> {
    const body = { worker_id: this.workerId, status: 'busy', current_tasks: currentTasks }
    return this.#send('PATCH', PATHS.heartbeat(this.workerId), { body })
  }

  /**
   * Reports a success.
   * @param words - added, or said instead.
   * @param url - of another orchestrator.
   */
  async report(task: RawTask, words: object = {}, url = this.#url): Promise<Answer['body']> {
    const { job_id, task_id, attempt } = task
    const result = { job_id, task_id, attempt, status: 'success', data: { by: this.workerId } }
    const body = { ...result, worker_id: this.workerId, ...words }
    const answer = await this.#send('POST', PATHS.taskResult, { body, url })
    if (answer.status !== 200) throw new Error(`A result was answered with ${answer.status}.`)
    return answer.body
  }

  async #send(
    method: string,
    path: string,
    { body, url = this.#url }: { readonly body?: object; readonly url?: string },
  ): Promise<Answer> {
    const reply = await fetch(`${url}${path}`, {
      method,
      headers: { 'x-worker-token': TOKENS.worker, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await reply.text()
    const said = text === '' ? {} : (JSON.parse(text) as Answer['body'])
    return { status: reply.status, body: said }
  }
}
