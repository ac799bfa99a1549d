import { defineTask } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ActionCollector } from '../src/blueprint/actions.ts'
import { DispatchSettings } from '../src/blueprint/dispatch-settings.ts'

/** Knows every state but `nowhere`. */
function collector(): ActionCollector {
  const resolve = (state: string): { state: string } => {
    if (state === 'nowhere') throw new Error('no such state')
    return { state }
  }
  return new ActionCollector(resolve, new DispatchSettings(300_000))
}

const TO = { transitions: { success: 'done' } } as const

describe('the actions of one run', () => {
  it('have decided nothing before the first call', () => {
    expect(collector().decided()).toBeUndefined()
  })

  it('are one decision under either name', () => {
    const [one, two] = [collector(), collector()]
    one.actions.transitionTo('next')
    two.actions.goTo('next')
    expect(one.decided()).toEqual({ type: 'go_to', target: { state: 'next' } })
    expect(two.decided()).toEqual(one.decided())
  })

  it('can be taken apart', () => {
    const run = collector()
    const { dispatchTask } = run.actions
    dispatchTask({ type: 'resize', ...TO })
    expect(run.decided()).toMatchObject({ type: 'dispatch_task' })
  })

  it('refuse a second one and name both', () => {
    const run = collector()
    run.actions.transitionTo('next')
    const second = (): void => {
      run.actions.dispatchTask({ type: 'resize', ...TO })
    }
    expect(second).toThrow(
      expect.objectContaining({
        code: 'HANDLER_TWO_ACTIONS',
        message: expect.stringMatching(/transitionTo \('next'\).*dispatchTask \('resize'\)/),
      }),
    )
  })

  it('refuse a second one even when the handler swallows the error', () => {
    const run = collector()
    run.actions.goTo('next')
    expect(() => {
      run.actions.goTo('next')
    }).toThrow('exactly one action')
    expect(() => run.decided()).toThrow('exactly one action')
  })

  it('do not count a call that was refused', () => {
    const run = collector()
    expect(() => {
      run.actions.goTo('nowhere')
    }).toThrow('no such state')
    run.actions.goTo('next')
    expect(run.decided()).toMatchObject({ target: { state: 'next' } })
  })
})

describe('a dispatch', () => {
  it('becomes a complete task, in milliseconds', () => {
    const run = collector()
    run.actions.dispatchTask({
      type: 'resize',
      params: { width: 10 },
      transitions: { success: 'done', tooSmall: 'rejected' },
      priority: 5,
      dispatchTimeout: 10,
      timeout: 0.5,
      resultTimeout: 60,
      skillVersion: '2',
    })
    expect(run.decided()).toEqual({
      type: 'dispatch_task',
      task: {
        demand: { type: 'resize', skillVersion: '2' },
        params: { width: 10 },
        priority: 5,
        dispatchTimeoutMs: 10_000,
        executionTimeoutMs: 500,
        resultTimeoutMs: 60_000,
      },
      transitions: { success: { state: 'done' }, tooSmall: { state: 'rejected' } },
    })
  })

  it('waits as long as it takes for a worker, and gives that one the default time', () => {
    const run = collector()
    run.actions.dispatchTask({ type: 'resize', ...TO })
    expect(run.decided()).toMatchObject({
      task: { params: {}, priority: 0, dispatchTimeoutMs: null, executionTimeoutMs: 300_000 },
    })
  })

  it('copies its params: what the handler does to them later stays with the handler', () => {
    const run = collector()
    const params = { width: 10 }
    run.actions.dispatchTask({ type: 'resize', params, ...TO })
    params.width = 20
    expect(run.decided()).toMatchObject({ task: { params: { width: 10 } } })
  })

  it.each([
    ['timeout', 0],
    ['timeout', -1],
    ['dispatchTimeout', NaN],
    ['resultTimeout', Infinity],
    ['resultTimeout', 31 * 86_400],
    ['priority', NaN],
  ])('refuses %s %j', (name, value) => {
    const run = collector()
    expect(() => {
      run.actions.dispatchTask({ type: 'resize', ...TO, [name]: value })
    }).toThrow(
      expect.objectContaining({ message: expect.stringMatching(`'resize': ${name} must be`) }),
    )
  })

  it('refuses params that are no JSON, and names the place', () => {
    expect(() => {
      collector().actions.dispatchTask({ type: 'resize', params: { at: [NaN] }, ...TO })
    }).toThrow('params.at[0] is NaN')
  })

  it('refuses transitions to a state that is not there', () => {
    expect(() => {
      collector().actions.dispatchTask({ type: 'resize', transitions: { success: 'nowhere' } })
    }).toThrow('no such state')
  })
})

describe('a dispatch by contract', () => {
  const resize = defineTask('resize', {
    params: z.object({ width: z.number().positive(), fit: z.string().default('cover') }),
  })

  it('takes name, checks and defaults from the contract', () => {
    const run = collector()
    run.actions.dispatchTask({ type: resize, params: { width: 10, fit: 'cover' }, ...TO })
    expect(run.decided()).toMatchObject({
      task: { demand: { type: 'resize' }, params: { width: 10, fit: 'cover' } },
    })
  })

  it('refuses params that do not match, and names task and place', () => {
    expect(() => {
      collector().actions.dispatchTask({ type: resize, params: { width: -1, fit: 'x' }, ...TO })
    }).toThrow(/params of task resize do not match its contract: width: /)
  })
})
