// A host program that lets the engine listen by itself.
import { AvtomatikaClient } from '@avtomatika/client'
import { Blueprint, OrchestratorEngine } from '@avtomatika/core'
import { Worker } from '@avtomatika/worker-sdk'

const greeting = new Blueprint('greeting', { endpoint: '/jobs/greeting', version: 'v1' })
  .state('start', { start: true }, ({ name, actions }) => {
    actions.dispatchTask({ type: 'greet', params: { name }, transitions: { success: 'done' } })
  })
  .state('done', { end: true }, ({ greeting }) => ({ greeting }))

const engine = new OrchestratorEngine({
  config: { port: 0, clients: [{ token: 'client' }], workerTokens: { shared: 'worker' } },
})
engine.register(greeting)
const url = await engine.start()

const worker = new Worker({ orchestratorUrl: url, token: 'worker', workerId: 'greeter' })
worker.task('greet', ({ params }) => ({ greeting: `Hello ${params.name}` }))
await worker.start()

const client = new AvtomatikaClient({ url, token: 'client' })
const job = await client.run('/jobs/greeting', { name: 'World' })
console.log(`RESULT ${job.status} ${JSON.stringify(job.result)}`)

await client.close()
await worker.stop()
await engine.stop()
