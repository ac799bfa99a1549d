import { AvtomatikaClient, resultOf } from '@avtomatika/client'
import { Blueprint, OrchestratorEngine } from '@avtomatika/core'
import { Worker } from '@avtomatika/worker-sdk'

const hello = new Blueprint('hello', { endpoint: '/jobs/hello', version: 'v1' })
  .state('start', { start: true }, ({ initialData, actions }) => {
    actions.dispatchTask({ type: 'greet', params: initialData, transitions: { success: 'done' } })
  })
  .state('done', { end: true })

const engine = new OrchestratorEngine({
  config: { port: 0, clients: [{ token: 'client-1' }], workerTokens: { shared: 'worker-1' } },
})
const url = await engine.register(hello).start()

const worker = new Worker({ orchestratorUrl: url, token: 'worker-1' })
worker.task('greet', ({ params }) => ({ greeting: `Hello, ${String(params['name'])}!` }))
await worker.start()

const client = new AvtomatikaClient({ url, token: 'client-1' })
console.log(resultOf(await client.run('/jobs/hello', { name: 'World' })))

await Promise.all([client.close(), worker.stop()])
await engine.stop()
