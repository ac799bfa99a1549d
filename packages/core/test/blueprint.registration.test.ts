import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { resolveState } from '../src/blueprint/definition.ts'
import { endOutcome } from '../src/blueprint/outcome.ts'
import { BlueprintRegistry } from '../src/blueprint/registry.ts'
import { OrchestratorEngine } from '../src/index.ts'

const INVALID = { code: 'BLUEPRINT_INVALID' }

function invalid(message: string): unknown {
  return expect.objectContaining({ ...INVALID, message: expect.stringContaining(message) })
}

/** A blueprint that has nothing wrong. */
function sound(name = 'sound', options = {}): Blueprint {
  return new Blueprint(name, options)
    .state('start', { start: true }, ({ actions }) => {
      actions.transitionTo('done')
    })
    .state('done', { end: true })
}

describe('a blueprint cannot be registered', () => {
  it('without a start state', () => {
    const blueprint = new Blueprint('b').state('done', { end: true })
    expect(() => blueprint.define()).toThrow(
      invalid("Blueprint 'b' cannot be used: it has no start"),
    )
  })

  it('with two start states, and is told which', () => {
    const blueprint = new Blueprint('b')
      .state('one', { start: true, end: true })
      .state('two', { start: true, end: true })
    expect(() => blueprint.define()).toThrow(invalid("2 start states ('one', 'two')"))
  })

  it('with a state that has no handler and is no end', () => {
    const blueprint = sound().state('idle', {})
    expect(() => blueprint.define()).toThrow(invalid("state 'idle' has no handler"))
  })

  it('with several things wrong, and is told all of them', () => {
    const blueprint = new Blueprint('b').state('lost', {}).state('only', ({ actions }) => {
      actions.goTo('nowhere')
    })
    expect(() => blueprint.define()).toThrow(
      expect.objectContaining({ details: { problems: expect.objectContaining({ length: 3 }) } }),
    )
  })

  it('with a declared target that does not exist', () => {
    const blueprint = sound().state('extra', { to: ['nowhere'] }, ({ actions }) => {
      actions.goTo('done')
    })
    expect(() => blueprint.define()).toThrow(invalid("state 'extra' leads to 'nowhere'"))
  })

  it.each(['', 'two words', 'ä', 'a/b', 'x'.repeat(129)])('under the name %j', (name) => {
    expect(() => new Blueprint(name)).toThrow(invalid('its name'))
  })

  it.each(['', 'v 1', 'v/1', 'v1/'])('with the version %j', (version) => {
    expect(() => new Blueprint('b', { version })).toThrow(invalid('its version'))
  })

  it.each(['', '/', '/jobs/:id', '/jobs/*', '/jobs?x', 'https://x/y', '/a//b', '/a/'])(
    'with the endpoint %j',
    (endpoint) => {
      expect(() => new Blueprint('b', { endpoint })).toThrow(invalid('its endpoint'))
    },
  )
})

describe('a state cannot be added', () => {
  it('under a name that is taken', () => {
    expect(() => sound().state('done', { end: true })).toThrow(
      invalid("state 'done' is declared twice"),
    )
  })

  it('without a name', () => {
    expect(() => sound().state('', { end: true })).toThrow(invalid('empty name'))
  })

  it('after registration', () => {
    const blueprint = sound()
    new OrchestratorEngine().register(blueprint)
    expect(() => blueprint.state('late', { end: true })).toThrow(
      invalid("state 'late' was added after the blueprint was registered"),
    )
  })
})

describe('a registry', () => {
  function registry(...blueprints: readonly Blueprint[]): BlueprintRegistry {
    const made = new BlueprintRegistry()
    for (const blueprint of blueprints) made.add(blueprint.define())
    return made
  }

  it('refuses the same name and version twice', () => {
    expect(() => registry(sound('a'), sound('a'))).toThrow(
      invalid("'a' (no version) is registered twice"),
    )
    const v1 = { version: 'v1' }
    expect(() => registry(sound('a', v1), sound('a', v1))).toThrow(invalid("'a' (v1)"))
  })

  it('takes one name in several versions, and finds each', () => {
    const made = registry(sound('a'), sound('a', { version: 'v1' }), sound('a', { version: 'v2' }))
    expect(made.find({ name: 'a', version: 'v1' })?.version).toBe('v1')
    expect(made.find({ name: 'a', version: 'v3' })).toBeUndefined()
    expect(made.findByName('a')?.version).toBeNull()
  })

  it('finds the newest version by the name alone when none is without version', () => {
    const made = registry(sound('a', { version: 'v1' }), sound('a', { version: 'v2' }))
    expect(made.findByName('a')?.version).toBe('v2')
  })

  it('refuses an endpoint twice, with and without its leading slash', () => {
    const one = sound('a', { endpoint: '/jobs/x' })
    const two = sound('b', { endpoint: 'jobs/x' })
    expect(() => registry(one, two)).toThrow(invalid("'a' and 'b' share the endpoint /jobs/x"))
  })

  it('takes an endpoint once per version', () => {
    const one = sound('a', { endpoint: '/jobs/x', version: 'v1' })
    const two = sound('b', { endpoint: '/jobs/x', version: 'v2' })
    expect(registry(one, two).all()).toHaveLength(2)
  })

  it('refuses an endpoint that another one makes with its version', () => {
    const one = sound('a', { endpoint: '/x', version: 'v1' })
    const two = sound('b', { endpoint: '/v1/x' })
    expect(() => registry(one, two)).toThrow(invalid("'a' and 'b' share the endpoint"))
  })

  it.each([{ endpoint: '/jobs' }, { endpoint: '/jobs', version: 'v1' }, { endpoint: '/v1/jobs' }])(
    'refuses an endpoint that the API needs for itself: %j',
    (options) => {
      expect(() => registry(sound('a', options))).toThrow(invalid('/jobs'))
    },
  )
})

describe('an engine', () => {
  it('takes no blueprint once its routes are made', () => {
    const engine = new OrchestratorEngine()
    expect(engine.plugin).toBeTypeOf('function')
    expect(() => engine.register(sound())).toThrow(invalid("Blueprint 'sound' came too late"))
  })
})

describe('unreachable states', () => {
  it('are a warning, and register', () => {
    const blueprint = sound().state('island', { end: true })
    expect(blueprint.check()).toEqual([
      { level: 'warning', message: expect.stringContaining("state 'island' cannot be reached") },
    ])
    expect(blueprint.define().states.has('island')).toBe(true)
  })

  it('are reached through declared targets', () => {
    const blueprint = new Blueprint('b')
      .state('start', { start: true, to: ['one'] }, ({ actions, initialData }) => {
        actions.goTo(String(initialData['target']))
      })
      .state('one', { end: true })
      .state('two', { end: true })
    expect(blueprint.check()).toEqual([
      { level: 'warning', message: expect.stringContaining("state 'two' cannot be reached") },
    ])
  })

  it('are not guessed at when a target is computed and none is declared', () => {
    const blueprint = new Blueprint('b')
      .state('start', { start: true }, ({ actions, initialData }) => {
        actions.goTo(String(initialData['target']))
      })
      .state('one', { end: true })
    expect(blueprint.check()).toEqual([])
  })

  it('put errors before warnings', () => {
    const blueprint = sound().state('island', {})
    expect(blueprint.check().map(({ level }) => level)).toEqual(['error', 'warning'])
  })
})

describe('a definition', () => {
  it('is the same object each time, with a leading slash on its endpoint', () => {
    const blueprint = sound('b', { endpoint: 'jobs/b', version: 'v1' })
    expect(blueprint.define()).toBe(blueprint.define())
    expect(blueprint.define()).toMatchObject({ endpoint: '/jobs/b', version: 'v1', input: null })
  })

  it('has a fingerprint that follows its handlers and states, not its identity', () => {
    const other = sound().state('more', { end: true })
    expect(sound().define().ref.hash).toBe(sound().define().ref.hash)
    expect(other.define().ref.hash).not.toBe(sound().define().ref.hash)
  })

  it('ends a job on entry of an end state without a handler only', () => {
    const definition = sound()
      .state('checked', { end: true }, () => ({ ok: true }))
      .define()
    expect(resolveState(definition, 'done')).toEqual({ state: 'done', end: 'finished' })
    expect(resolveState(definition, 'checked')).toEqual({ state: 'checked' })
    expect(() => resolveState(definition, 'nope')).toThrow(
      "Blueprint 'sound' has no state 'nope'. Its states: start, done, checked.",
    )
  })

  it('keeps the input schema', () => {
    const input = z.object({ n: z.number() })
    const blueprint = new Blueprint('b', { input }).state('s', { start: true, end: true })
    expect(blueprint.define().input).toBe(input)
  })
})

// D-30: an end state counts as a success unless it says otherwise.
describe('the outcome of an end state', () => {
  it.each([
    ['finished', true, 'finished'],
    ['end', true, 'finished'],
    ['completed', true, 'finished'],
    ['failed', true, 'failed'],
    ['error', true, 'failed'],
    ['rejected', true, 'failed'],
    ['cancelled', true, 'failed'],
    ['payment_failed', true, 'failed'],
    ['validation_error', true, 'failed'],
    ['errors', true, 'finished'],
    ['terror', true, 'finished'],
    ['failed_over', true, 'finished'],
    ['failed', 'finished', 'finished'],
    ['given_up', 'failed', 'failed'],
  ] as const)('of %j declared %j is %j (D-30)', (state, declared, outcome) => {
    expect(endOutcome(state, declared)).toBe(outcome)
  })
})
