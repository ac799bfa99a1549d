import { describe, expect, it } from 'vitest'

import { z } from 'zod'

import { PermanentError, TransientError, Worker, type TaskMiddleware } from '../src/index.ts'
import { testWorker } from '../src/testing/index.ts'
import { recordingLogger } from './setup.ts'

function aWorker(): Worker {
  return new Worker({ workerId: 'w1', token: 't', env: {}, logger: recordingLogger() })
}

describe('middleware', () => {
  it('goes around the handler, the first that was added outermost', async () => {
    const steps: string[] = []
    const named = (name: string): TaskMiddleware => ({
      before: () => void steps.push(`before ${name}`),
      after: () => void steps.push(`after ${name}`),
    })
    const worker = aWorker().use(named('a')).use(named('b'))
    worker.task('echo', () => {
      steps.push('handler')
    })
    expect(await testWorker(worker).run('echo')).toMatchObject({ status: 'success' })
    expect(steps).toEqual(['before a', 'before b', 'handler', 'after b', 'after a'])
  })

  it('sees checked params and the ids, and can replace the result', async () => {
    const worker = aWorker().use({
      before: ({ params }) => {
        expect(params).toEqual({ n: 5 })
      },
      after: ({ taskId }, result) => ({ ...Object(result), taskId }),
    })
    worker.task('echo', { params: z.object({ n: z.coerce.number() }) }, ({ params }) => params)
    const { data } = await testWorker(worker).run('echo', { n: '5' }, { taskId: 't9' })
    expect(data).toEqual({ n: 5, taskId: 't9' })
  })

  it('can replace an error, and lets it through when it does not', async () => {
    const seen: unknown[] = []
    const worker = aWorker()
      .use({ error: (_context, error) => void seen.push(error) })
      .use({
        error: (_context, error) =>
          error instanceof RangeError ? new PermanentError('no such page') : undefined,
      })
    worker.task('echo', ({ params }) => {
      throw params['isRange'] === true ? new RangeError('m') : new TransientError('m')
    })
    const bench = testWorker(worker)
    expect((await bench.run('echo', { isRange: true })).error).toEqual({
      code: 'PERMANENT_ERROR',
      message: 'no such page',
    })
    expect((await bench.run('echo')).error).toEqual({ code: 'TRANSIENT_ERROR', message: 'm' })
    expect(seen).toEqual([expect.any(PermanentError), expect.any(TransientError)])
  })

  it('ends the task with what before throws, and only those further out hear of it', async () => {
    const heard: string[] = []
    const worker = aWorker()
      .use({ error: () => void heard.push('outer') })
      .use({
        before: () => {
          throw new PermanentError('not licensed')
        },
        error: () => void heard.push('own'),
      })
      .use({ before: () => expect.unreachable() })
    worker.task('echo', () => expect.unreachable())
    const { error } = await testWorker(worker).run('echo')
    expect(error).toEqual({ code: 'PERMANENT_ERROR', message: 'not licensed' })
    expect(heard).toEqual(['outer'])
  })
})
