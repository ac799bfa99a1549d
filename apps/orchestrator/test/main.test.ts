import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { OrchestratorProcess } from './orchestrator-process.ts'

const BLUEPRINTS = fileURLToPath(new URL('blueprints', import.meta.url))
const CLIENT_TOKEN = 'client-secret-of-the-test'
const WORKER_TOKEN = 'worker-secret-of-the-test'
const SETTINGS = {
  CLIENT_TOKEN,
  GLOBAL_WORKER_TOKEN: WORKER_TOKEN,
  BLUEPRINTS_DIR: BLUEPRINTS,
  API_HOST: '127.0.0.1',
  API_PORT: '0',
}

describe('avtomatika-orchestrator', () => {
  let running: OrchestratorProcess | undefined
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'orchestrator-'))
    await mkdir(join(folder, 'empty'))
    await mkdir(join(folder, 'broken'))
    await writeFile(join(folder, 'broken', 'orders.mjs'), `throw new Error('no price list')`)
    await mkdir(join(folder, 'unfinished'))
    await writeFile(join(folder, 'unfinished', 'flow.ts'), 'export const flow: =')
  })

  afterAll(async () => {
    await rm(folder, { recursive: true })
  })

  afterEach(async () => {
    running?.kill('SIGKILL')
    await running?.ended
  })

  function start(changes: Readonly<Record<string, string>> = {}): OrchestratorProcess {
    running = new OrchestratorProcess({ ...SETTINGS, ...changes })
    return running
  }

  it('answers the status, and says at start what a newcomer needs', async () => {
    const orchestrator = start()
    const url = await orchestrator.started
    const status = await fetch(`${url}/_public/status`)
    expect(status.status).toBe(200)
    expect(await status.json()).toEqual({ status: 'ok' })
    orchestrator.kill('SIGTERM')
    const { stdout } = await orchestrator.ended
    expect(stdout).toContain(`Avtomatika is running on ${url}`)
    expect(stdout).toContain('Blueprint slow: POST /api/v1/jobs/slow')
    expect(stdout).toContain('X-Client-Token')
    expect(stdout).not.toContain(CLIENT_TOKEN)
    expect(stdout).not.toContain(WORKER_TOKEN)
  })

  it('does as its settings for limits and approvals say, and warns of open ones', async () => {
    const secret = 'secret-of-the-approval-links'
    const orchestrator = start({
      MAX_DATA_BYTES: '100',
      APPROVAL_AUTH: 'open',
      APPROVAL_SECRET: secret,
    })
    const url = await orchestrator.started
    const post = (path: string, body: object, headers = {}): Promise<Response> =>
      fetch(url + path, { method: 'POST', body: JSON.stringify(body), headers })
    const message = 'x'.repeat(100)
    const create = await post('/api/v1/jobs/slow', { message }, { 'x-client-token': CLIENT_TOKEN })
    expect(create.status).toBe(413)
    const decided = await post('/_public/webhooks/approval/none', { decision: 'approved' })
    expect(decided.status).toBe(404)
    orchestrator.kill('SIGTERM')
    const { stdout, stderr } = await orchestrator.ended
    expect(stdout).toContain('APPROVAL_AUTH is open')
    expect(stdout + stderr).not.toContain(secret)
  })

  it('writes lines for people when asked to', async () => {
    const orchestrator = start({ LOG_FORMAT: 'text' })
    await orchestrator.saying('Avtomatika is running')
    orchestrator.kill('SIGINT')
    const { stdout, code } = await orchestrator.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/INFO: Avtomatika is running on http:\S+\n/)
  })

  it.each<[string, Record<string, string>, readonly string[]]>([
    [
      'no tokens',
      { CLIENT_TOKEN: '', GLOBAL_WORKER_TOKEN: '' },
      ['CLIENT_TOKEN is not set', 'GLOBAL_WORKER_TOKEN is not set'],
    ],
    [
      'known tokens (D-57)',
      { CLIENT_TOKEN: 'secure-orchestrator-token' },
      ['CLIENT_TOKEN is a default that everybody knows'],
    ],
    ['no blueprints folder', { BLUEPRINTS_DIR: '' }, ['BLUEPRINTS_DIR is not set']],
    [
      'a folder that is not there',
      { BLUEPRINTS_DIR: '/no/such/folder' },
      ['/no/such/folder', 'it does not exist'],
    ],
    ['an empty folder', { BLUEPRINTS_DIR: 'empty' }, ['holds no blueprint']],
    ['a module that throws', { BLUEPRINTS_DIR: 'broken' }, ['orders.mjs', 'no price list']],
    [
      'a module with a slip of the pen',
      { BLUEPRINTS_DIR: 'unfinished' },
      ['flow.ts', 'SyntaxError'],
    ],
    [
      'a wrong number',
      { API_PORT: '99999' },
      ["API_PORT must be a whole number from 0 to 65535, got '99999'"],
    ],
    [
      'an address of another machine',
      { API_HOST: '203.0.113.1' },
      ["API_HOST '203.0.113.1' is not an address"],
    ],
  ])('ends with 1 and says what to set: %s', async (_case, changes, texts) => {
    const dir = changes['BLUEPRINTS_DIR']
    const isOurs = dir !== undefined && /^\w+$/.test(dir)
    const orchestrator = start({ ...changes, ...(isOurs && { BLUEPRINTS_DIR: join(folder, dir) }) })
    const { code, stderr } = await orchestrator.ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Avtomatika cannot start:$/m)
    for (const text of texts) expect(stderr).toContain(text)
    expect(stderr).not.toContain(WORKER_TOKEN)
  })

  it('ends with 1 when another program has the port', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await start({ API_PORT: String(port) }).ended
    other.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`Port ${String(port)} on 127.0.0.1 is in use`)
  })

  it('answers a long poll, a long read and a slow request before it stops', async () => {
    const orchestrator = start()
    const url = await orchestrator.started
    await register(url)
    const jobId = await createJob(url)
    const poll = open(`${url}/_worker/workers/w1/tasks/next`, workerHeaders)
    const read = open(`${url}/api/v1/jobs/${jobId}?wait=60`, clientHeaders)
    const slow = open(
      `${url}/api/v1/jobs/slow`,
      { ...clientHeaders, 'content-type': 'application/json' },
      'POST',
    )
    // The server has all three in hand once it has sent "100 Continue".
    await Promise.all([poll, read, slow].map((each) => once(each, 'continue')))
    poll.end()
    read.end()
    slow.write('{"message":')
    // Listened for from the start: the answers may come in any order, and all at once.
    const answers = [poll, read, slow].map(answer)
    const stopping = Date.now()
    orchestrator.kill('SIGTERM')
    await Promise.all(answers.slice(0, 2))
    slow.end('"late"}')
    const statuses = (await Promise.all(answers)).map(({ statusCode }) => statusCode)
    expect(statuses).toEqual([204, 200, 202])
    expect(await orchestrator.ended).toMatchObject({ code: 0, signal: null })
    expect(Date.now() - stopping).toBeLessThan(10_000)
  })

  it('ends at once at the second signal', async () => {
    const orchestrator = start()
    const url = await orchestrator.started
    const slow = open(`${url}/api/v1/jobs/slow`, clientHeaders, 'POST')
    slow.on('error', () => undefined)
    await once(slow, 'continue')
    orchestrator.kill('SIGTERM')
    await orchestrator.saying('Stopping')
    orchestrator.kill('SIGINT')
    expect(await orchestrator.ended).toMatchObject({ code: 130 })
    slow.destroy()
  })
})

const clientHeaders = { 'x-client-token': CLIENT_TOKEN }
const workerHeaders = { 'x-worker-token': WORKER_TOKEN }

/** Sends the head of a request and asks the server to say when it has it. */
function open(url: string, headers: Record<string, string>, method = 'GET'): ClientRequest {
  const sent = request(url, {
    method,
    headers: { ...headers, expect: '100-continue' },
    agent: false,
  })
  sent.flushHeaders()
  return sent
}

async function answer(sent: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  return response
}

async function register(url: string): Promise<void> {
  const body = JSON.stringify({ worker_id: 'w1', worker_type: 'test', supported_tasks: ['other'] })
  const headers = { ...workerHeaders, 'content-type': 'application/json' }
  const response = await fetch(`${url}/_worker/workers/register`, { method: 'POST', headers, body })
  expect(response.status).toBe(200)
}

async function createJob(url: string): Promise<string> {
  const headers = { ...clientHeaders, 'content-type': 'application/json' }
  const response = await fetch(`${url}/api/v1/jobs/slow`, { method: 'POST', headers, body: '{}' })
  const { job_id: jobId } = (await response.json()) as { job_id: string }
  return jobId
}
