/** Five shapes of jobs, which between them use every way to wait. */
import { Blueprint } from '@avtomatika/core'

const work = (n: number): { type: string; params: object } => ({ type: 'work', params: { n } })

export const single = new Blueprint('single', { endpoint: '/jobs/single', version: 'v1' })
  .state('start', { start: true }, ({ actions }) => {
    actions.dispatchTask({ ...work(1), transitions: { success: 'done' } })
  })
  .state('done', { end: true })

export const row = new Blueprint('row', { endpoint: '/jobs/row', version: 'v1' })
  .state('one', { start: true }, ({ actions }) => {
    actions.dispatchTask({ ...work(1), transitions: { success: 'two' } })
  })
  .state('two', ({ actions }) => {
    actions.dispatchTask({ ...work(2), transitions: { success: 'three' } })
  })
  .state('three', ({ actions }) => {
    actions.dispatchTask({ ...work(3), transitions: { success: 'done' } })
  })
  .state('done', { end: true })

export const fan = new Blueprint('fan', { endpoint: '/jobs/fan', version: 'v1' })
  .state('spread', { start: true }, ({ actions }) => {
    const tasks = Array.from({ length: 20 }, (_, n) => work(n))
    actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
  })
  .aggregator('collect', ({ branches, actions }) => {
    actions.updateContext({ seen: branches.map(({ data }) => data?.['n'] ?? null) })
    actions.goTo('done')
  })
  .state('done', { end: true }, ({ stateHistory }) => stateHistory['seen'])

export const parent = new Blueprint('parent', { endpoint: '/jobs/parent', version: 'v1' })
  .state('start', { start: true }, ({ actions }) => {
    actions.runBlueprint({ name: 'single', transitions: { success: 'done' } })
  })
  .state('done', { end: true }, ({ child }) => child?.status)

export const patient = new Blueprint('patient', { endpoint: '/jobs/patient', version: 'v1' })
  .state('rest', { start: true }, ({ actions }) => {
    actions.sleep({ seconds: 1, next: 'ask' })
  })
  .state('ask', ({ actions }) => {
    const transitions = { yes: 'done', no: 'refused' }
    actions.awaitHumanApproval({ integration: 'test', message: 'Well?', transitions })
  })
  .state('done', { end: true }, ({ approval }) => approval?.decision)
  .state('refused', { end: true })
