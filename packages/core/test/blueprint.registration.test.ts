import { Script } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { resolveState } from '../src/blueprint/definition.ts'
import type { Handler } from '../src/blueprint/handler-context.ts'
import { endOutcome } from '../src/blueprint/outcome.ts'
import { BlueprintRegistry } from '../src/blueprint/registry.ts'
import { OrchestratorEngine } from '../src/index.ts'

const INVALID = { code: 'BLUEPRINT_INVALID' }

function invalid(message: string): unknown {
  return expect.objectContaining({ ...INVALID, message: expect.stringContaining(message) })
}

const goOn: Handler = ({ actions }) => {
  actions.goTo('done')
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

  it.each([0, -1, NaN, Infinity])('with a timeout of %j', (timeout) => {
    expect(() => new Blueprint('b', { timeout })).toThrow(
      invalid(`its timeout must be more than 0 seconds, got ${String(timeout)}`),
    )
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

  it('under the name of one that has conditions and a handler', () => {
    const blueprint = sound().state('decide', goOn).when('context.area.x == 1', goOn)
    expect(() => blueprint.state('decide', goOn)).toThrow(invalid("'decide' is declared twice"))
  })

  it('without a name', () => {
    expect(() => sound().state('', { end: true })).toThrow(invalid('empty name'))
    expect(() => sound().aggregator('', goOn)).toThrow(invalid('empty name'))
  })

  it('after registration, nor anything else', () => {
    const blueprint = sound()
    new OrchestratorEngine().register(blueprint)
    const late = (what: string): unknown =>
      invalid(`${what} was added after the blueprint was registered`)
    expect(() => blueprint.state('late', { end: true })).toThrow(late("state 'late'"))
    expect(() => blueprint.aggregator('late', goOn)).toThrow(late("state 'late'"))
    expect(() => blueprint.when(() => true, goOn)).toThrow(late('a condition'))
    expect(() => blueprint.event('late', z.object({}))).toThrow(late("event 'late'"))
  })
})

describe('a condition', () => {
  const one: Handler = ({ actions }) => {
    actions.goTo('one')
  }
  const two: Handler = ({ actions }) => {
    actions.goTo('two')
  }

  it('cannot come before any state', () => {
    expect(() => new Blueprint('b').when(() => true, goOn)).toThrow(
      invalid('a condition comes before any state; call state(name) first'),
    )
  })

  it('belongs to the latest state, before its own handler or after it', () => {
    const before = sound().state('decide').when('context.area.x == 1', one).state('decide', two)
    const after = sound().state('decide', two).when('context.area.x == 1', one)
    for (const blueprint of [before, after]) {
      const states = blueprint.state('one', { end: true }).state('two', { end: true }).define()
      const decide = states.states.get('decide')
      expect(decide?.handler?.run).toBe(two)
      expect(decide?.conditional).toMatchObject([{ condition: 'context.area.x == 1', run: one }])
    }
    expect(before.define().ref.hash).toBe(after.define().ref.hash)
  })

  it('stays in the order of declaration, also around the handler', () => {
    const blueprint = sound()
      .state('decide')
      .when('context.area.x == 1', one)
      .state('decide', goOn)
      .when(() => false, two)
      .when('context.area.x == 3', one)
      .state('one', { end: true })
      .state('two', { end: true })
    const conditions = blueprint.define().states.get('decide')?.conditional
    expect(conditions?.map(({ condition }) => condition)).toEqual([
      'context.area.x == 1',
      null,
      'context.area.x == 3',
    ])
  })

  it('is enough for a state, without a handler of its own', () => {
    const blueprint = new Blueprint('b')
      .state('decide', { start: true })
      .when(() => true, one)
      .state('one', { end: true })
    expect(blueprint.check()).toEqual([])
  })

  it('leads to states that must exist', () => {
    const blueprint = sound()
      .state('decide', goOn)
      .when(() => true, two)
    expect(() => blueprint.define()).toThrow(invalid("state 'decide' leads to 'two'"))
  })

  it('is compiled where it is declared, and says what is wrong with it', () => {
    expect(() => sound().when("context.initial_data.type = 'urgent'", goOn)).toThrow(
      expect.objectContaining({
        code: 'CONDITION_INVALID',
        message: expect.stringContaining("`context.initial_data.type = 'urgent'`"),
      }),
    )
  })

  it('counts in the fingerprint: another condition is another definition', () => {
    const hash = (condition: string): string => sound().when(condition, goOn).define().ref.hash
    expect(hash('context.area.x == 1')).toBe(hash('context.area.x == 1'))
    expect(hash('context.area.x == 2')).not.toBe(hash('context.area.x == 1'))
  })
})

describe('an aggregator', () => {
  it('is a state of its own', () => {
    const definition = sound().aggregator('collect', goOn).define()
    expect(definition.states.get('collect')).toMatchObject({
      handler: null,
      aggregator: { run: goOn },
      end: null,
    })
  })

  it('may end the job, and may stand beside a state, declared in either order', () => {
    const handler = goOn
    const aggregator: Handler = () => ({ sum: 1 })
    const first = sound().aggregator('collect', aggregator).state('collect', { end: true }, handler)
    const last = sound().state('collect', { end: true }, handler).aggregator('collect', aggregator)
    for (const blueprint of [first, last]) {
      expect(blueprint.define().states.get('collect')).toMatchObject({
        end: 'finished',
        handler: { run: handler },
        aggregator: { run: aggregator },
      })
    }
    expect(first.define().ref.hash).toBe(last.define().ref.hash)
    const own = sound().aggregator('collect', { end: 'failed' }, aggregator).define()
    expect(own.states.get('collect')).toMatchObject({ end: 'failed', handler: null })
  })

  it('cannot be declared twice', () => {
    const blueprint = sound().aggregator('collect', goOn)
    expect(() => blueprint.aggregator('collect', goOn)).toThrow(
      invalid("aggregator 'collect' is declared twice"),
    )
  })

  it('cannot be without a handler', () => {
    const careless = sound().aggregator.bind(sound()) as (name: string, options: object) => unknown
    expect(() => careless('collect', {})).toThrow(invalid("aggregator 'collect' has no handler"))
  })

  it('leads to states that must exist', () => {
    const blueprint = sound().aggregator('collect', ({ actions }) => {
      actions.goTo('nowhere')
    })
    expect(() => blueprint.define()).toThrow(invalid("state 'collect' leads to 'nowhere'"))
  })
})

describe('the schema of an event', () => {
  const schema = z.object({ sum: z.number() })

  it('is given with the blueprint or after it', () => {
    const blueprint = sound('b', { events: { paid: schema } }).event('refunded', schema)
    expect([...blueprint.define().events]).toEqual([
      ['paid', schema],
      ['refunded', schema],
    ])
  })

  it('cannot be given twice', () => {
    const blueprint = sound('b', { events: { paid: schema } })
    expect(() => blueprint.event('paid', schema)).toThrow(invalid("event 'paid' is declared twice"))
  })

  it('does not get into the options that it was given with', () => {
    const events = { paid: schema }
    sound('b', { events }).event('refunded', schema)
    expect(Object.keys(events)).toEqual(['paid'])
  })
})

// D-36: a missing child was found when the parent ran into it.
describe('a child blueprint', () => {
  const parent = (name: string): Blueprint =>
    new Blueprint('parent').state('start', { start: true }, runs(name)).state('done', { end: true })

  /** A handler whose source has the name in it, as an author would have written it. */
  function runs(name: string): Handler {
    const source = `({ actions }) => {
      actions.runBlueprint({ name: '${name}', transitions: { success: 'done' } })
    }`
    return new Script(`(${source})`).runInThisContext() as Handler
  }

  function engineOf(...blueprints: readonly Blueprint[]): OrchestratorEngine {
    const engine = new OrchestratorEngine({ config: { port: 0 } })
    for (const blueprint of blueprints) engine.register(blueprint)
    return engine
  }

  it('named in a handler must be there when the engine starts (D-36)', async () => {
    await expect(engineOf(parent('invoice')).start()).rejects.toThrow(
      invalid(
        "There is no such blueprint: state 'start' of blueprint 'parent' runs 'invoice'. Register it",
      ),
    )
  })

  it('may be registered after its parent, in any version, and may be the parent itself', async () => {
    const registry = new BlueprintRegistry()
    const complete = (): void => {
      registry.assertComplete()
    }
    registry.add(parent('invoice').define())
    expect(complete).toThrow(invalid("runs 'invoice'"))
    registry.add(sound('invoice', { version: 'v3' }).define())
    expect(complete).not.toThrow()
    const itself = new BlueprintRegistry()
    itself.add(parent('parent').define())
    expect(() => {
      itself.assertComplete()
    }).not.toThrow()
  })

  it('is looked for behind conditions and aggregators too, and all that miss are named', () => {
    const registry = new BlueprintRegistry()
    const blueprint = sound('parent')
      .when(() => true, runs('one'))
      .aggregator('all', runs('two'))
    registry.add(blueprint.define())
    expect(() => {
      registry.assertComplete()
    }).toThrow(
      expect.objectContaining({
        details: {
          problems: [
            "state 'done' of blueprint 'parent' runs 'one'",
            "state 'all' of blueprint 'parent' runs 'two'",
          ],
        },
      }),
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

  it('keeps its schemas, and its timeout in milliseconds', () => {
    const input = z.object({ n: z.number() })
    const output = z.object({ sum: z.number() })
    const blueprint = new Blueprint('b', { input, output, timeout: 1.5 })
    const definition = blueprint.state('s', { start: true, end: true }).define()
    expect(definition).toMatchObject({ timeoutMs: 1_500 })
    expect([definition.input, definition.output]).toEqual([input, output])
    expect(sound('b', { timeout: 0.0015 }).define().timeoutMs).toBe(2)
    expect(sound().define()).toMatchObject({ input: null, output: null, timeoutMs: null })
  })

  it('does not end a job on entry when its result has yet to be checked', () => {
    const definition = sound('b', { output: z.object({}) }).define()
    expect(resolveState(definition, 'done')).toEqual({ state: 'done' })
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
