import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Program } from '../demo/program.ts'
import { addressOf, Http, said, startOrchestrator, startWorker } from './stack.ts'

describe('a worker without its orchestrator', () => {
  const programs: Program[] = []

  afterEach(async () => {
    for (const program of programs.splice(0)) await program.stop()
  })

  function keep(program: Program): Program {
    programs.unshift(program)
    return program
  }

  it('F11: started first, it goes on trying and works as soon as the orchestrator is there', async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${String(port)}`
    const worker = keep(startWorker(url, { REGISTRATION_RETRY_INITIAL_DELAY: '0.2' }))
    await said(worker, /ECONNREFUSED|refused|CONNECTION_FAILED/i)
    const orchestrator = keep(startOrchestrator(port))
    const http = new Http(await addressOf(orchestrator))
    const jobId = await http.createJob({ message: 'late', multiply: 1 })
    expect(await http.endOf(jobId)).toMatchObject({ status: 'finished' })
  })

  it('F14: a job waits, visibly, for as long as nobody takes its task', async () => {
    const orchestrator = keep(startOrchestrator())
    const url = await addressOf(orchestrator)
    const http = new Http(url)
    const jobId = await http.createJob({ message: 'alone', multiply: 2 })
    const waiting = await http.jobThat(jobId, ({ status }) => status === 'waiting_for_worker')
    expect(waiting).toMatchObject({ task_worker_id: null, current_state: 'start' })
    keep(startWorker(url))
    const job = await http.endOf(jobId)
    expect(job).toMatchObject({ status: 'finished', result: { processed_message: 'alone alone' } })
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
