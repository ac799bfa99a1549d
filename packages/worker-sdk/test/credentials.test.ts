/** How a worker proves who it is to a real orchestrator: by its signature, and by its certificate. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { Blueprint, OrchestratorEngine, type OrchestratorConfig } from '@avtomatika/core'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'

import { HttpTransport, systemClock, Worker, type Clock, type WorkerOptions } from '../src/index.ts'
import { gate, recordingLogger } from './setup.ts'

const CLIENT = { 'X-Client-Token': 'client-secret', 'Content-Type': 'application/json' }

async function anOrchestrator(config: OrchestratorConfig) {
  const blueprint = new Blueprint('greeting', { endpoint: '/jobs/greeting', version: 'v1' })
  blueprint.state('start', { start: true }, ({ actions }) => {
    actions.dispatchTask({ type: 'greet', transitions: { success: 'done' } })
  })
  blueprint.state('done', { end: true }, ({ stateHistory }) => stateHistory)
  const lines: string[] = []
  const engine = new OrchestratorEngine({
    logger: pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }),
    config: { port: 0, clients: [{ token: 'client-secret' }], ...config },
  })
  engine.register(blueprint)
  const url = await engine.start()
  onTestFinished(() => engine.stop())
  return { url, log: () => lines.join('') }
}

function aWorker(options: WorkerOptions): { worker: Worker; logger: { lines: unknown[] } } {
  const logger = recordingLogger()
  const base = { workerId: 'w1', env: {}, healthPort: false, shutdownTimeoutMs: 0 } as const
  const worker = new Worker({ ...base, logger, ...options })
  onTestFinished(() => worker.stop())
  return { worker, logger }
}

/** Creates a job and resolves when it has ended. */
async function runJob(url: string): Promise<Record<string, unknown>> {
  const init = { method: 'POST', headers: CLIENT, body: '{}' }
  const created = await fetch(`${url}/api/v1/jobs/greeting`, init)
  const { job_id: jobId } = (await created.json()) as { job_id: string }
  for (;;) {
    const answer = await fetch(`${url}/api/v1/jobs/${jobId}?wait=5`, { headers: CLIENT })
    const job = (await answer.json()) as Record<string, unknown>
    if (job['finished_at'] !== null) return job
  }
}

describe('a worker that signs', () => {
  it('is served where all must sign: whatever it says, by whatever way (C29)', async () => {
    const signatures = { workerSignatures: 'require' } as const
    const one = await anOrchestrator({ ...signatures, workerTokens: { shared: 'secret-1' } })
    const other = await anOrchestrator({
      ...signatures,
      workerTokens: { individual: { w1: 'secret-2' } },
    })
    const orchestrators = [
      { url: one.url, token: 'secret-1' },
      { url: other.url, token: 'secret-2' },
    ]
    const options = { orchestrators, signMessages: true, websockets: true }
    const { worker } = aWorker({ ...options, heartbeatIntervalMs: 100, token: 'unused' })
    worker.task('greet', async ({ progress, emit, stream }) => {
      progress(0.5)
      await emit('greeted', { how: 'well' })
      await stream('Hel')
      return { greeting: 'Hello' }
    })
    await worker.start()
    for (const { url, log } of [one, other]) {
      expect(await runJob(url)).toMatchObject({ status: 'finished' })
      expect(log()).not.toContain('SIGNATURE')
      expect(log()).not.toMatch(/secret-[12]/)
    }
    await worker.stop()
    // Its goodbye was signed, too: else it would be thought to live (C31).
    for (const { url } of [one, other]) {
      const workers = await fetch(`${url}/api/v1/workers`, { headers: CLIENT })
      expect(await workers.json()).toEqual([])
    }
  })

  it('is served though its clock is hours behind', async () => {
    const workerTokens = { shared: 'secret-1' }
    const { url } = await anOrchestrator({ workerTokens, workerSignatures: 'require' })
    const clock: Clock = {
      now: () => systemClock.now() - 3 * 3_600_000,
      after: (ms, callback) => systemClock.after(ms, callback),
    }
    const options = { orchestratorUrl: url, token: 'secret-1', signMessages: true, clock }
    const { worker, logger } = aWorker(options)
    worker.task('greet', () => ({}))
    await worker.start()
    expect(await runJob(url)).toMatchObject({ status: 'finished' })
    const warnings = logger.lines.filter((line) => JSON.stringify(line).includes('clock'))
    expect(warnings).toMatchObject([
      { level: 'warn', fields: { shiftMs: expect.any(Number) as number } },
    ])
  })

  it('needs a token to sign with, also when it has a certificate', () => {
    const tls = { cert: 'PEM', key: 'PEM' }
    expect(() => aWorker({ tls, signMessages: true })).toThrow('it has no default')
    expect(() => aWorker({ tls, env: { WORKER_SIGN_MESSAGES: 'perhaps' } })).toThrow(
      'WORKER_SIGN_MESSAGES',
    )
  })
})

/** Certificates of an orchestrator and of two workers, all of one authority, and one of a stranger. */
async function certificates() {
  const dir = await mkdtemp(join(tmpdir(), 'worker-certificates-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const make = async (name: string, more: readonly string[] = []) => {
    const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)]
    const what = ['-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile]
    await promisify(execFile)('openssl', ['req', '-x509', ...kind, ...what, ...more])
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
    return { cert, key, certFile, keyFile }
  }
  const authority = await make('authority')
  const signed = ['-CA', authority.certFile, '-CAkey', authority.keyFile]
  const here = ['-addext', 'subjectAltName=IP:127.0.0.1']
  const server = await make('localhost', [...signed, ...here])
  const [w1, stranger] = [await make('w1', signed), await make('w2')]
  return { ca: authority.cert, server, w1, stranger }
}

describe('a worker with a certificate', () => {
  it('needs no token, and exchanges its certificate for one that it rotates (A.7)', async () => {
    const { ca, server, w1 } = await certificates()
    const tls = { cert: server.cert, key: server.key, ca }
    const { url } = await anOrchestrator({ tls, workerAuthMode: 'mtls-only' })
    const asked: [path: string, token: string | undefined][] = []
    let ahead = 0
    const clock: Clock = {
      now: () => systemClock.now() + ahead,
      after: (ms, callback) => systemClock.after(ms, callback),
    }
    const rotated = gate()
    const { worker } = aWorker({
      orchestratorUrl: url,
      tls: { ca, cert: w1.cert, key: w1.key },
      clock,
      pollTimeoutMs: 1000,
      createTransport: (target) => {
        const http = new HttpTransport(target, clock)
        return {
          request: (request) => {
            asked.push([request.path, request.token])
            if (request.path.endsWith('/refresh')) rotated.open()
            return http.request(request)
          },
          close: () => http.close(),
        }
      },
    })
    worker.task('greet', () => ({}))
    await worker.start()
    ahead = 3_000_000
    await rotated.opened
    const used = new Set(asked.map(([, token]) => token?.slice(0, 8)))
    expect(used).toEqual(new Set([undefined, 'avta.w1.']))
    expect(asked.filter(([path]) => path === '/_worker/auth/token')).toHaveLength(1)
  })

  it('is refused by an orchestrator that does not trust it', async () => {
    const { ca, server, stranger } = await certificates()
    const tls = { cert: server.cert, key: server.key, ca }
    const { url } = await anOrchestrator({ tls })
    const transport = new HttpTransport(
      { url, token: '', workerId: 'w2', tls: { ca, cert: stranger.cert, key: stranger.key } },
      systemClock,
    )
    onTestFinished(() => transport.close())
    const reply = await transport.request({
      method: 'POST',
      path: '/_worker/workers/register',
      body: JSON.stringify({ worker_id: 'w2', supported_skills: ['greet'] }),
      timeoutMs: 10_000,
      signal: new AbortController().signal,
    })
    expect(reply).toMatchObject({ status: 403, error: { code: 'CERTIFICATE_INVALID' } })
  })
})
