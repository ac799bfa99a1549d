/** Blueprints that between them use every action, and chance in every handler. */
import { Blueprint } from '../../blueprint/blueprint.ts'
import type { SeededRandom } from '../seeded-random.ts'

export interface SimulatedBlueprintsOptions {
  readonly random: SeededRandom
  /** Called first thing in every handler. */
  readonly onHandler: (jobId: string) => void
}

/** The names that clients create jobs of. */
export const SHAPES = ['tasks', 'fan', 'parent', 'human', 'sleeper', 'eager'] as const

/** Built anew for every orchestrator, as a process would. */
export function simulatedBlueprints(options: SimulatedBlueprintsOptions): readonly Blueprint[] {
  return [
    tasks(options),
    fan(options),
    parent(options),
    human(options),
    sleeper(options),
    eager(options),
  ]
}

const STRATEGIES = ['default', 'round_robin', 'least_connections', 'cheapest', 'overflow'] as const

/** Two tasks with a local state between them, a way round, and a handler that fails at times. */
function tasks({ random, onHandler }: SimulatedBlueprintsOptions): Blueprint {
  const transitions = { success: 'between', again: 'first', failure: 'given_up' }
  return new Blueprint('tasks')
    .state('first', { start: true }, ({ jobId, actions }) => {
      onHandler(jobId)
      const eventTransitions = { done_early: 'second' }
      const dispatchStrategy = random.pick(STRATEGIES)
      const asked = { type: 'work', transitions, eventTransitions, timeout: 4 }
      actions.dispatchTask({ ...asked, dispatchStrategy })
    })
    .state('between', ({ jobId, actions }) => {
      onHandler(jobId)
      if (random.chance(0.2)) throw new Error('as planned')
      actions.updateContext({ between: true })
      actions.transitionTo('second')
    })
    .state('second', ({ jobId, actions }) => {
      onHandler(jobId)
      const then = { success: 'completed', again: 'completed', failure: 'given_up' }
      const retry = { attempts: 2, initialDelay: 0.1 }
      actions.dispatchTask({ type: 'work', transitions: then, retry, onFailure: 'transition' })
    })
    .state('completed', { end: true }, ({ jobId }) => {
      onHandler(jobId)
      return { done: true }
    })
    .state('given_up', { end: 'failed' })
}

/** Branches, some at a time or all at once, and an aggregator that counts them. */
function fan({ random, onHandler }: SimulatedBlueprintsOptions): Blueprint {
  return new Blueprint('fan')
    .state('spread', { start: true }, ({ jobId, actions }) => {
      onHandler(jobId)
      const branches = Array.from({ length: random.between(0, 6) }, () => ({
        type: 'work',
        timeout: 4,
        retry: { attempts: 3, initialDelay: 0.1 },
      }))
      actions.dispatchParallel({
        tasks: branches,
        aggregateInto: 'collect',
        failFast: random.chance(0.2),
        ...(random.chance(0.5) && { concurrency: random.between(1, 3) }),
      })
    })
    .aggregator('collect', ({ jobId, branches, actions }) => {
      onHandler(jobId)
      if (random.chance(0.2)) throw new Error('as planned')
      actions.goTo(branches.length > 4 ? 'many' : 'few')
    })
    .state('many', { end: true })
    .state('few', { end: true })
}

/** A child, and a grandchild at times. */
function parent({ random, onHandler }: SimulatedBlueprintsOptions): Blueprint {
  return new Blueprint('parent')
    .state('delegate', { start: true }, ({ jobId, actions }) => {
      onHandler(jobId)
      const name = random.pick(['tasks', 'fan', 'sleeper', 'sleeper', 'parent'])
      const transitions = { success: 'well', failure: 'badly' }
      const timeouts = random.chance(0.3) ? { total: random.between(2, 20) } : {}
      actions.runBlueprint({ name, transitions, timeouts })
    })
    .state('well', ({ jobId, child, actions }) => {
      onHandler(jobId)
      actions.updateContext({ child: child?.jobId ?? null })
      actions.goTo(random.chance(0.3) ? 'delegate' : 'delegated')
    })
    .state('delegated', { end: true })
    .state('badly', ({ jobId, actions }) => {
      onHandler(jobId)
      actions.goTo(random.chance(0.5) ? 'delegate' : 'given_up')
    })
    .state('given_up', { end: 'failed' })
}

/** A person decides, or time does. */
function human({ random, onHandler }: SimulatedBlueprintsOptions): Blueprint {
  return new Blueprint('human')
    .state('ask', { start: true }, ({ jobId, actions }) => {
      onHandler(jobId)
      const transitions = { approved: 'task', rejected: 'refused' }
      const hurry = random.chance(0.4) ? { timeout: random.between(1, 8), onTimeout: 'late' } : {}
      actions.awaitHumanApproval({ integration: 'desk', message: 'Well?', transitions, ...hurry })
    })
    .state('task', ({ jobId, actions, approval }) => {
      onHandler(jobId)
      if (approval?.decision !== 'approved') throw new Error('A decision was lost.')
      actions.dispatchTask({
        type: 'work',
        transitions: { success: 'granted', again: 'ask', failure: 'ask' },
      })
    })
    .state('granted', { end: true })
    .state('refused', { end: true })
    .state('late', { end: 'failed' })
}

/** A pause, then an event. */
function sleeper({ random, onHandler }: SimulatedBlueprintsOptions): Blueprint {
  return new Blueprint('sleeper')
    .state('rest', { start: true }, ({ jobId, actions }) => {
      onHandler(jobId)
      const seconds = random.chance(0.3) ? 60 : random.between(0, 3_000) / 1000
      actions.sleep({ seconds, next: 'listen' })
    })
    .state('listen', ({ jobId, actions }) => {
      onHandler(jobId)
      const transitions = { received: 'awake', timeout: 'overslept' }
      const match = random.chance(0.5) ? { match: { kind: 'wake' } } : {}
      actions.waitForEvent({ name: 'bell', transitions, ...match, timeout: 15 })
    })
    .state('awake', { end: true }, ({ jobId, event }) => {
      onHandler(jobId)
      if (event?.data['kind'] !== 'wake') throw new Error('An event was lost.')
      return { by: event.id }
    })
    .state('overslept', { end: 'failed' })
}

/** Conditions, and an event to another job of the same client. */
function eager({ random, onHandler }: SimulatedBlueprintsOptions): Blueprint {
  return new Blueprint('eager')
    .state('look', { start: true })
    .when("context.initial_data.other != null and not (initial_data.other == '')", (context) => {
      const { jobId, actions, initialData } = context
      onHandler(jobId)
      const other = String(initialData['other'])
      actions.sendEvent({ name: 'bell', data: { kind: 'wake' }, jobId: other })
      actions.goTo('done')
    })
    .when(
      () => random.chance(0.5),
      ({ jobId, actions }) => {
        onHandler(jobId)
        actions.sendEvent({ name: 'looked' })
        actions.goTo('done')
      },
    )
    .state('look', ({ jobId, actions }) => {
      onHandler(jobId)
      actions.goTo('look_again')
    })
    .state('look_again', ({ jobId, actions }) => {
      onHandler(jobId)
      actions.goTo(random.chance(0.5) ? 'look' : 'done')
    })
    .state('done', { end: true })
}
