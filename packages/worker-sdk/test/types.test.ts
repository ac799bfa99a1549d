import { describe, expectTypeOf, it } from 'vitest'

import { pino } from 'pino'
import { z } from 'zod'

import { bullmqTask } from '../src/bullmq/index.ts'
import {
  defineTask,
  taskResult,
  Worker,
  type TaskContext,
  type TaskContract,
  type WorkerLogger,
} from '../src/index.ts'

const resize = defineTask('resize', {
  params: z.object({ url: z.url(), width: z.coerce.number() }),
  result: z.object({ path: z.string() }),
})

describe('types of tasks', () => {
  it('flow from the contract to the handler', () => {
    expectTypeOf(resize).toEqualTypeOf<
      TaskContract<{ url: string; width: number }, { path: string }>
    >()
    const worker = new Worker({ env: {}, token: 't' })
    worker.task(resize, ({ params }) => {
      expectTypeOf(params).toEqualTypeOf<{ url: string; width: number }>()
      return { path: params.url }
    })
    // @ts-expect-error a result without its path
    const wrong = (): Worker => worker.task(resize, () => ({ width: 1 }))
    const own = (): Worker => worker.task(resize, () => taskResult({ status: 'too_big' }))
    expectTypeOf(wrong).toEqualTypeOf(own)
  })

  it('flow from inline schemas', () => {
    new Worker({ env: {}, token: 't' }).task(
      'inline',
      { params: z.object({ a: z.number() }), result: z.object({ b: z.number() }) },
      async ({ params }) => {
        expectTypeOf(params.a).toBeNumber()
        return { b: params.a }
      },
    )
  })

  it('flow from a contract with options, from its thread, and from its BullMQ queue', () => {
    const worker = new Worker({ env: {}, token: 't' })
    worker.task(resize, { cost: 1, concurrency: 2 }, ({ params }) => {
      expectTypeOf(params).toEqualTypeOf<{ url: string; width: number }>()
      return { path: params.url }
    })
    const thread = new URL('./thread-handlers/count.ts', import.meta.url)
    // @ts-expect-error a contract has its schemas already
    const twice = (): Worker => worker.task(resize, { params: z.object({}) }, () => ({ path: '' }))
    const threaded = (): Worker => worker.task(resize, { thread })
    const bridged = (): Worker =>
      bullmqTask(worker, resize, { queue: 'resize', connection: { host: 'localhost' } })
    expectTypeOf([twice, threaded, bridged]).items.toEqualTypeOf<() => Worker>()
  })

  it('are unknown values without a schema', () => {
    new Worker({ env: {}, token: 't' }).task('free', (context) => {
      expectTypeOf(context).toEqualTypeOf<TaskContext>()
    })
    expectTypeOf(defineTask('x')).toEqualTypeOf<TaskContract<Record<string, unknown>, unknown>>()
  })

  it('take a pino logger as it is', () => {
    expectTypeOf(pino({ enabled: false })).toExtend<WorkerLogger>()
  })
})
