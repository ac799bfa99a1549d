// A host program with a Fastify app of its own, and the engine under a prefix of it.
import { Blueprint, OrchestratorEngine } from '@avtomatika/core'
import { fastify } from 'fastify'

const local = new Blueprint('local', { endpoint: '/jobs/local', version: 'v1' })
  .state('start', { start: true }, ({ actions }) => {
    actions.transitionTo('done')
  })
  .state('done', { end: true }, () => 'ran in the host')

const engine = new OrchestratorEngine({ config: { clients: [{ token: 'client' }] } })
engine.register(local)

const app = fastify()
app.get('/', () => 'the host answers')
await app.register(engine.plugin, { prefix: '/workflows' })
const url = await app.listen({ host: '127.0.0.1', port: 0 })

const headers = { 'x-client-token': 'client', 'content-type': 'application/json' }
const own = await fetch(url)
const created = await fetch(`${url}/workflows/api/v1/jobs/local`, {
  method: 'POST',
  headers,
  body: '{}',
})
const { job_id } = await created.json()
const read = await fetch(`${url}/workflows/api/v1/jobs/${job_id}?wait=10`, { headers })
const job = await read.json()
console.log(`RESULT ${await own.text()} / ${job.status} ${JSON.stringify(job.result)}`)
await app.close()
