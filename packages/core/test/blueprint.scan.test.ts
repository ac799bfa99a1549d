import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { scanHandler } from '../src/blueprint/scan.ts'

const scan = (source: string): { targets: readonly string[]; hasUnseen: boolean } => {
  const { targets, hasUnseen } = scanHandler(source)
  return { targets, hasUnseen }
}

describe('the scan of a handler sees', () => {
  it.each([
    ['an arrow function', "({ actions }) => actions.transitionTo('a')"],
    ['an async arrow function', "async ({ actions }) => { actions.goTo('a') }"],
    ['a function expression', "function ({ actions }) { actions.goTo('a') }"],
    ['an async function with a name', "async function start(c) { c.actions.goTo('a') }"],
    ['a method of an object', "start({ actions }) { actions.goTo('a') }"],
    ['an async method', "async start({ actions }) { actions.goTo('a') }"],
    ['a private method of a class', "#start({ actions }) { actions.goTo('a') }"],
    ['a destructured action', "({ actions: { goTo } }) => goTo('a')"],
    ['an optional call', "({ actions }) => actions?.goTo?.('a')"],
    ['a call in a nested function', "({ actions }) => [1].forEach(() => actions.goTo('a'))"],
    ['a plain template', '({ actions }) => actions.goTo(`a`)'],
  ])('the target in %s', (_kind, source) => {
    expect(scan(source)).toEqual({ targets: ['a'], hasUnseen: false })
  })

  it('both sides of a condition, and of one inside it', () => {
    const source = "({ actions, x, y }) => actions.goTo(x ? 'a' : y ? 'b' : `c`)"
    expect(scan(source)).toEqual({ targets: ['a', 'b', 'c'], hasUnseen: false })
  })

  it('the transitions of a dispatch, and a conditional one among them', () => {
    const source = `({ actions, x }) => {
      actions.dispatchTask({ type: 't', transitions: { success: 'a', 'failure': x ? 'b' : 'c' } })
    }`
    expect(scan(source)).toEqual({ targets: ['a', 'b', 'c'], hasUnseen: false })
  })

  it('that transitions kept in a variable are there, but not which', () => {
    const source = `({ actions }) => {
      const task = { type: 't', transitions: { success: 'a' } }
      actions.dispatchTask(task)
    }`
    expect(scan(source)).toEqual({ targets: [], hasUnseen: true })
  })

  it('each target once, in order of appearance', () => {
    const source =
      "({ actions }) => { if (1) actions.goTo('b'); else actions.goTo('a'); actions.goTo('b') }"
    expect(scan(source).targets).toEqual(['b', 'a'])
  })

  it('nothing in texts and comments', () => {
    const source = `() => { /* actions.goTo('a') */ return "actions.goTo('b')" }`
    expect(scan(source)).toEqual({ targets: [], hasUnseen: false })
  })
})

describe('the scan of a handler says that there is more than it sees', () => {
  it.each([
    ['a variable', '({ actions, next }) => actions.goTo(next)'],
    ['a template with a hole', '({ actions, n }) => actions.goTo(`a_${n}`)'],
    ['one side of a condition', "({ actions, x, n }) => actions.goTo(x ? 'a' : n)"],
    [
      'transitions from elsewhere',
      "({ actions }) => actions.dispatchTask({ type: 't', transitions })",
    ],
    ['spread transitions', '({ actions }) => actions.dispatchTask({ transitions: { ...rest } })'],
    [
      'a computed transition',
      '({ actions, n }) => actions.dispatchTask({ transitions: { a: n } })',
    ],
    ['a call without a target', '({ actions }) => actions.goTo()'],
  ])('for %s', (_kind, source) => {
    expect(scan(source).hasUnseen).toBe(true)
  })

  it('for a function whose source is not there', () => {
    expect(scan(String(parseInt))).toEqual({ targets: [], hasUnseen: true })
    expect(scan(String((() => 1).bind(null)))).toEqual({ targets: [], hasUnseen: true })
  })
})

describe('what only looks like an action', () => {
  it('is not read: a key of params, and a method of another object', () => {
    const blueprint = new Blueprint('lookalike')
      .state('start', { start: true }, ({ actions }) => {
        const page = { goTo: (place: string) => place }
        const params = { transitions: { a: 'nowhere' }, seen: page.goTo('elsewhere') }
        actions.dispatchTask({ type: 'x', params, transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    expect(blueprint.check()).toEqual([])
  })
})
