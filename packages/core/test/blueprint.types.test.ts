/** What the compiler promises to authors; `tsc` runs these, vitest only their few values. */
import { defineTask, type JsonObject } from '@avtomatika/protocol'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/index.ts'

const input = z.object({ orderId: z.string(), amount: z.number().optional() })
const charge = defineTask('charge', { params: z.object({ amount: z.number() }) })

/** Registers nothing and runs nothing: the bodies are for the compiler. */
const typed = new Blueprint('typed', { input })
const free = new Blueprint('free')

describe('the types of a handler', () => {
  it('follow the input schema, in initialData and by name', () => {
    typed.state('a', { start: true }, ({ initialData, orderId, amount, jobId, actions }) => {
      expectTypeOf(initialData).toEqualTypeOf<{ orderId: string; amount?: number | undefined }>()
      expectTypeOf(orderId).toEqualTypeOf<string>()
      expectTypeOf(amount).toEqualTypeOf<number | undefined>()
      expectTypeOf(jobId).toEqualTypeOf<string>()
      // @ts-expect-error the schema has no such key
      expectTypeOf(initialData.orderID).toEqualTypeOf<string>()
      actions.goTo('b')
    })
    expect(typed.name).toBe('typed')
  })

  it('are plain JSON without a schema, and unknown by name', () => {
    free.state('a', { start: true }, ({ initialData, anything, stateHistory, actions }) => {
      expectTypeOf(initialData).toEqualTypeOf<JsonObject>()
      expectTypeOf(stateHistory).toEqualTypeOf<JsonObject>()
      expectTypeOf(anything).toEqualTypeOf<unknown>()
      actions.goTo('b')
    })
    expect(free.name).toBe('free')
  })

  it('keep data read-only', () => {
    free.state('b', ({ initialData, stateHistory, actions }) => {
      // @ts-expect-error handlers do not write into the job
      initialData['n'] = 1
      // @ts-expect-error handlers do not write into the job
      stateHistory['n'] = 1
      actions.goTo('a')
    })
    expect(free.check().filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('the types of a dispatch', () => {
  it('take the params from the contract', () => {
    free.state('c', ({ actions }) => {
      const transitions = { success: 'a' }
      actions.dispatchTask({ type: charge, params: { amount: 1 }, transitions })
      // @ts-expect-error amount is a number
      actions.dispatchTask({ type: charge, params: { amount: '1' }, transitions })
      // @ts-expect-error the contract asks for params
      actions.dispatchTask({ type: charge, transitions })
      // @ts-expect-error a dispatch says where to go
      actions.dispatchTask({ type: 'charge' })
      // @ts-expect-error states have names
      actions.goTo()
    })
    expect(free.name).toBe('free')
  })

  it('take any object with a bare name', () => {
    interface Params {
      readonly width: number
    }
    const params: Params = { width: 1 }
    free.state('d', ({ actions }) => {
      actions.dispatchTask({ type: 'resize', params, transitions: { success: 'a' } })
      // @ts-expect-error params are an object
      actions.dispatchTask({ type: 'resize', params: 'wide', transitions: { success: 'a' } })
    })
    expect(free.name).toBe('free')
  })
})
