import { describe, expect, it } from 'vitest'
import { scanHandler, type ScanEdge } from '../src/blueprint/scan.ts'

const scan = (source: string): { targets: readonly string[]; hasUnseen: boolean } => {
  const { targets, hasUnseen } = scanHandler(source)
  return { targets, hasUnseen }
}

/** The scan of a handler whose body is one action. */
const scanAction = (call: string) => scanHandler(`({ actions, x, n }) => actions.${call}`)

const edge = (target: string, kind: ScanEdge['kind'], label: string | null = null): ScanEdge => ({
  target,
  label,
  kind,
})

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
    ['a destructured action under another name', "({ actions: { goTo: go } }) => go('a')"],
    ['an action taken out', "({ actions }) => { const { goTo } = actions; goTo('a') }"],
    ['one action taken out', "(c) => { const go = c.actions.goTo; go('a') }"],
    ['actions under another name', "({ actions: b }) => b.goTo('a')"],
    ['actions kept in a variable', "(c) => { const b = c.actions; b.goTo('a') }"],
    ['an action by a literal key', "({ actions }) => actions['goTo']('a')"],
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

describe('the scan of each action says what leads where', () => {
  it.each<[call: string, edges: ScanEdge[]]>([
    ["transitionTo('a')", [edge('a', 'transition')]],
    ["goTo(x ? 'a' : 'b')", [edge('a', 'transition'), edge('b', 'transition')]],
    [
      "dispatchTask({ type: 't', transitions: { success: 'a', failure: 'b', 'no stock': 'a' } })",
      [edge('a', 'task', 'success'), edge('b', 'task', 'failure'), edge('a', 'task', 'no stock')],
    ],
    [
      "dispatchTask({ transitions: { success: 'a' }, eventTransitions: { shipped: 'b' } })",
      [edge('a', 'task', 'success'), edge('b', 'event', 'shipped')],
    ],
    ["dispatchTask({ transitions: { 404: 'a' } })", [edge('a', 'task', '404')]],
    ["dispatchTask({ transitions: { [n]: 'a' } })", [edge('a', 'task')]],
    [
      "dispatchTask({ transitions: x ? { success: 'a' } : { success: 'b' } })",
      [edge('a', 'task', 'success'), edge('b', 'task', 'success')],
    ],
    ["dispatchParallel({ tasks: n, aggregateInto: 'a' })", [edge('a', 'parallel', 'all branches')]],
    [
      "awaitHumanApproval({ transitions: { approved: 'a', rejected: 'b' }, onTimeout: 'c' })",
      [
        edge('a', 'approval', 'approved'),
        edge('b', 'approval', 'rejected'),
        edge('c', 'approval', 'timeout'),
      ],
    ],
    [
      "awaitHumanApproval({ transitions: { approved: 'a' }, onTimeout: undefined })",
      [edge('a', 'approval', 'approved')],
    ],
    [
      "runBlueprint({ name: 'child', version: 'v1', transitions: { success: 'a', failure: 'b' } })",
      [edge('a', 'child', 'success'), edge('b', 'child', 'failure')],
    ],
    ["sleep({ seconds: 1.5, next: 'a' })", [edge('a', 'timer', 'after sleep')]],
    [
      "waitForEvent({ name: 'paid', transitions: { received: 'a', timeout: 'b' } })",
      [edge('a', 'event', 'paid'), edge('b', 'event', 'timeout')],
    ],
    ['waitForEvent({ name: n, transitions: { received: `a` } })', [edge('a', 'event', 'received')]],
    ["sendEvent({ type: 'x', transitions: { a: 'b' } })", []],
    ["updateContext({ next: 'a', transitions: n })", []],
  ])('%s', (call, edges) => {
    const result = scanAction(call)
    expect(result.edges).toEqual(edges)
    expect(result.hasUnseen).toBe(false)
    expect(result.targets).toEqual([...new Set(edges.map(({ target }) => target))])
  })

  it('tells an edge once, however often a handler takes it', () => {
    const source = `({ actions, x }) => {
      if (x) return actions.sleep({ seconds: 1, next: 'a' })
      actions.sleep({ seconds: 2, next: 'a' })
    }`
    expect(scanHandler(source).edges).toEqual([edge('a', 'timer', 'after sleep')])
  })

  it('reads actions that were taken apart, in one handler', () => {
    const source = `({ actions: { sleep, dispatchTask: send }, x }) =>
      x ? sleep({ next: 'a' }) : send({ transitions: { success: 'b' } })`
    expect(scan(source)).toEqual({ targets: ['a', 'b'], hasUnseen: false })
  })
})

describe('the children that a scan tells', () => {
  it.each([
    ["runBlueprint({ name: 'child', transitions: { success: 'a' } })", ['child']],
    ["runBlueprint({ name: x ? 'b' : 'a', transitions: { success: 'a' } })", ['b', 'a']],
    ['runBlueprint({ name: n, transitions: {} })', []],
    ['runBlueprint({ name: `c_${n}`, transitions: {} })', []],
    ["waitForEvent({ name: 'paid', transitions: {} })", []],
    ["runBlueprint(n, { name: 'a' })", []],
  ])('%s', (call, children) => {
    expect(scanAction(call).children).toEqual(children)
  })

  it('are no targets, so a computed name leaves nothing unseen', () => {
    const result = scanAction("runBlueprint({ name: n, transitions: { success: 'a' } })")
    expect(result).toMatchObject({ targets: ['a'], hasUnseen: false })
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
    ['a computed action', "({ actions, n }) => actions[n]('a')"],
    ['a computed action that was taken out', "({ actions: { [n]: go } }) => go('a')"],
    ['a helper that is given the actions', '({ actions }) => help(actions)'],
    ['a helper that is given the actions by key', '({ actions }) => help({ actions })'],
    ['a helper that is given the context', '(context) => help(context)'],
    ['a helper that a method gives the context', 'start(context) { help(context) }'],
    ['a helper that a class gives the context', '#start(context) { help(context) }'],
    ['a spread context', '(context) => help({ ...context })'],
  ])('for %s', (_kind, source) => {
    expect(scan(source).hasUnseen).toBe(true)
  })

  it.each([
    'dispatchTask()',
    'dispatchTask(n)',
    "dispatchTask({ type: 't' })",
    "dispatchTask({ ...n, transitions: { success: 'a' } })",
    "dispatchTask({ [n]: {}, transitions: { success: 'a' } })",
    "dispatchTask({ transitions: { success: 'a' }, eventTransitions: n })",
    "dispatchTask({ transitions: { success: 'a' }, eventTransitions: { e: n } })",
    'dispatchParallel({ tasks: n })',
    'dispatchParallel({ tasks: n, aggregateInto: n })',
    "awaitHumanApproval({ onTimeout: 'a' })",
    "awaitHumanApproval({ transitions: { approved: 'a' }, onTimeout: n })",
    "runBlueprint({ name: 'child' })",
    'sleep({ seconds: 1 })',
    'sleep({ seconds: 1, next: undefined })',
    'sleep({ seconds: 1, next: n })',
    "waitForEvent({ name: 'paid' })",
    "waitForEvent({ name: 'paid', transitions: { received: 'a', ...n } })",
  ])('for %s', (call) => {
    expect(scanAction(call).hasUnseen).toBe(true)
  })

  it('for a function whose source is not there', () => {
    const nothing = { targets: [], edges: [], children: [], hasUnseen: true }
    expect(scanHandler(String(parseInt))).toEqual(nothing)
    expect(scanHandler(String((() => 1).bind(null)))).toEqual(nothing)
  })
})

describe('what only looks like an action', () => {
  it('is not read: a key of params, and a method of another object', () => {
    const source = `({ actions }) => {
      const page = { goTo: (place) => place }
      const params = { transitions: { a: 'nowhere' }, seen: page.goTo('elsewhere') }
      actions.dispatchTask({ type: 'x', params, transitions: { success: 'done' } })
    }`
    expect(scan(source)).toEqual({ targets: ['done'], hasUnseen: false })
  })

  it.each([
    'async ({ actions }) => { await sleep(100) }',
    "({ initialData }) => goTo('a')",
    "({ actions }) => actions.toString('a')",
    "({ actions }) => actions.constructor({ transitions: { a: 'b' } })",
  ])('is not read: %s', (source) => {
    expect(scan(source)).toEqual({ targets: [], hasUnseen: false })
  })
})
