/** Tokens that workers are issued, tokens that they were given, and what becomes of both when those change. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { pino } from 'pino'
import {
  OrchestratorEngine,
  type OrchestratorConfig,
  type Storage,
  type WorkerTokens,
} from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { LiveServer, WORKER_TOKEN, type Answer } from './support/live-server.ts'
import { TestSocket } from './support/open-socket.ts'
import { search } from './support/search-flow.ts'
import { ShiftedClock } from './support/shifted-clock.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

const OWN = 'the-secret-of-w1'
const TOKENS: WorkerTokens = { shared: WORKER_TOKEN, individual: { w1: OWN } }

function as(token: string, workerId?: string) {
  const named = workerId === undefined ? {} : { 'x-worker-id': workerId }
  return { as: 'nobody', headers: { 'x-worker-token': token, ...named } } as const
}

/** 404 and not 401: the token is good, and its worker is not registered. */
async function isGood(server: LiveServer, token: string, workerId = 'w1'): Promise<boolean> {
  const path = `/_worker/workers/${workerId}/tasks/next?timeout=0`
  const { status } = await server.call('GET', path, as(token))
  expect([404, 401, 403]).toContain(status)
  return status === 404
}

async function issue(server: LiveServer, token = OWN, workerId?: string): Promise<Issued> {
  const { status, text, body } = await server.call(
    'POST',
    '/_worker/auth/token',
    as(token, workerId),
  )
  if (status !== 200) throw new Error(text)
  return { access: String(body['access_token']), refresh: String(body['refresh_token']) }
}

interface Issued {
  readonly access: string
  readonly refresh: string
}

function refresh(server: LiveServer, token: string): Promise<Answer> {
  const path = '/_worker/auth/token/refresh'
  return server.call('POST', path, { as: 'nobody', body: { refresh_token: token } })
}

function start(
  config: OrchestratorConfig = {},
  storage: Storage = openStorage(),
  clock?: ShiftedClock,
): Promise<LiveServer> {
  return LiveServer.start([search()], { workerTokens: TOKENS, ...config }, storage, clock)
}

describe('a token that was issued', () => {
  it('is good at every orchestrator, and so is its refresh token', async () => {
    const storage = openStorage()
    const [one, other] = [await start({}, storage), await start({}, storage)]
    const { access, refresh: token } = await issue(one)
    expect(await isGood(other, access)).toBe(true)
    const next = await refresh(other, token)
    expect(next).toMatchObject({ status: 200, body: { worker_id: 'w1', expires_in: 3600 } })
    expect(await isGood(one, String(next.body['access_token']))).toBe(true)
  })

  it('ends everywhere within seconds when its refresh token is used twice (D-64)', async () => {
    const [storage, clock] = [openStorage(), new ShiftedClock(Date.now())]
    const one = await start({}, storage, clock)
    const other = await start({}, storage, clock)
    const { access, refresh: token } = await issue(one)
    expect(await isGood(other, access)).toBe(true)
    expect(await isGood(one, access)).toBe(true)
    await refresh(one, token)
    expect(await refresh(one, token)).toMatchObject({ status: 401 })
    expect(await isGood(one, access)).toBe(false)
    clock.pass(2_000)
    expect(await isGood(other, access)).toBe(false)
  })

  it('is looked up once in a while, and other tokens never', async () => {
    let looks = 0
    const storage = openStorage()
    const counting = overlay(storage, {
      findAccessToken: (query) => {
        looks += 1
        return storage.findAccessToken(query)
      },
    })
    const server = await start({}, counting)
    for (const token of [
      OWN,
      'wrong',
      'avta.',
      'avta.w1',
      'avtr.w1.x',
      'avta.w 1.x',
      'avta.w1.x.y',
    ]) {
      await isGood(server, token)
    }
    expect(looks).toBe(0)
    const { access } = await issue(server)
    for (let n = 0; n < 5; n += 1) expect(await isGood(server, access)).toBe(true)
    expect(looks).toBe(1)
  })

  it('is not known to the storage or the log, nor is any other (D-56)', async () => {
    const kept: unknown[] = []
    const storage = openStorage()
    const watched = overlay(storage, {
      issueTokens: (issued) => {
        kept.push(issued)
        return storage.issueTokens(issued)
      },
      rotateTokens: (rotation) => {
        kept.push(rotation)
        return storage.rotateTokens(rotation)
      },
    })
    const server = await start({}, watched)
    const first = await issue(server)
    const next = await refresh(server, first.refresh)
    await refresh(server, first.refresh)
    expect(kept.length).toBe(3)
    const said = JSON.stringify(kept) + server.log()
    const { access_token: access, refresh_token: token } = next.body
    for (const secret of [OWN, first.access, first.refresh, String(access), String(token)]) {
      expect(said).not.toContain(secret)
    }
  })

  it('cannot be refreshed by what is too large to be a token', async () => {
    const server = await start()
    expect(await refresh(server, 'x'.repeat(5_000))).toMatchObject({ status: 413 })
  })
})

describe('the token of a pattern', () => {
  const patterns = { 'gpu-*': 'of-gpus', 'gpu-1?': 'of-tens', '[ab]-[0-9]': 'of-a-and-b' }
  const workerTokens = { shared: WORKER_TOKEN, individual: { 'gpu-own': OWN }, patterns }

  it.each([
    ['of-gpus', 'gpu-7', true],
    ['of-gpus', 'gpu-', true],
    ['of-gpus', 'cpu-7', false],
    ['of-gpus', 'a-gpu-7', false],
    ['of-gpus', 'gpu-own', false],
    ['of-tens', 'gpu-12', true],
    ['of-gpus', 'gpu-12', true],
    ['of-tens', 'gpu-1', false],
    ['of-a-and-b', 'b-3', true],
    ['of-a-and-b', 'c-3', false],
    ['of-a-and-b', 'a-33', false],
    [WORKER_TOKEN, 'gpu-7', false],
    [WORKER_TOKEN, 'cpu-7', true],
  ])('%s is good for %s: %s', async (token, workerId, expected) => {
    const server = await start({ workerTokens })
    expect(await isGood(server, token, workerId)).toBe(expected)
  })

  it('does not say which worker it is, and leads to tokens that do', async () => {
    const server = await start({ workerTokens })
    const nobody = await server.call('POST', '/_worker/auth/token', as('of-gpus'))
    expect(nobody).toMatchObject({ status: 403, body: { code: 'WORKER_MISMATCH' } })
    const { access } = await issue(server, 'of-gpus', 'gpu-7')
    expect(await isGood(server, access, 'gpu-7')).toBe(true)
    expect(await isGood(server, access, 'gpu-8')).toBe(false)
  })

  it.each([
    [{ individual: { w1: 'x' }, patterns: { 'w*': 'x' } }, 'used twice'],
    [{ patterns: { 'w*': '' } }, 'empty'],
    [{ patterns: { '[z-a]': 'x' } }, 'no pattern'],
    [{ individual: { 'w 1': 'x' } }, 'no worker id'],
  ])('%j cannot be used', (tokens, problem) => {
    expect(() => new OrchestratorEngine({ config: { workerTokens: tokens } })).toThrow(problem)
  })
})

/** A place that tokens are read from. */
class Source {
  tokens: WorkerTokens | Error = TOKENS

  readonly read = (): Promise<WorkerTokens> =>
    this.tokens instanceof Error ? Promise.reject(this.tokens) : Promise.resolve(this.tokens)
}

const WITHOUT_W1: WorkerTokens = { shared: WORKER_TOKEN, individual: { w1: 'another-secret' } }

function reload(server: LiveServer, who: 'admin' | 'owner' = 'admin'): Promise<Answer> {
  return server.post('/api/v1/admin/reload-workers', undefined, who)
}

describe('reading the tokens of workers again', () => {
  it('is for admins, and answers as it always did (D-59)', async () => {
    const server = await start({ workerTokens: new Source().read })
    expect(await reload(server, 'owner')).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN' },
    })
    expect(await reload(server)).toMatchObject({
      status: 200,
      body: { status: 'worker_configs_reloaded' },
    })
  })

  it('is refused where there is nothing to read', async () => {
    const server = await start()
    expect(await reload(server)).toMatchObject({
      status: 400,
      body: { error: 'WORKERS_CONFIG_PATH is not set, cannot reload configs.' },
    })
  })

  it('ends at once what is not there any more, and what was issued for it (D-59)', async () => {
    const source = new Source()
    const server = await start({ workerTokens: source.read })
    const { access, refresh: token } = await issue(server)
    expect(await isGood(server, access)).toBe(true)
    source.tokens = WITHOUT_W1
    await reload(server)
    expect(await isGood(server, OWN)).toBe(false)
    expect(await isGood(server, access)).toBe(false)
    expect(await refresh(server, token)).toMatchObject({ status: 401 })
    expect(await isGood(server, 'another-secret')).toBe(true)
    source.tokens = TOKENS
    await reload(server)
    expect(await refresh(server, token), 'not even then').toMatchObject({ status: 401 })
  })

  it('closes connections and gives no task to polls of workers that it ends', async () => {
    const source = new Source()
    const server = await start({ workerTokens: source.read, pollTimeoutMs: 10_000 })
    const body = { worker_id: 'w1', supported_skills: ['search'] }
    await server.call('POST', '/_worker/workers/register', { ...as(OWN), body })
    const mine = await TestSocket.open(server.url, '/_worker/ws/w1', as(OWN).headers)
    const other = await TestSocket.open(server.url, '/_worker/ws/w2')
    const poll = server.call('GET', '/_worker/workers/w1/tasks/next', as(OWN))
    source.tokens = WITHOUT_W1
    await reload(server)
    expect(await mine.closed).toEqual([1008, 'Credentials are not valid any more'])
    expect(await Promise.race([other.closed, Promise.resolve('open')])).toBe('open')
    const jobId = await server.create('search')
    expect(await poll).toMatchObject({ status: 401, body: { code: 'INVALID_TOKEN' } })
    await server.register('w2', 'search')
    expect(await server.take('w2')).toMatchObject({ job_id: jobId })
  })

  it('is done by all orchestrators on the same storage', async () => {
    const [storage, source] = [openStorage(), new Source()]
    const config = { workerTokens: source.read }
    const [one, other] = [await start(config, storage), await start(config, storage)]
    const { access } = await issue(other)
    source.tokens = WITHOUT_W1
    await reload(one)
    await until(async () => !(await isGood(other, access)))
    expect(await isGood(other, OWN)).toBe(false)
    expect(await isGood(other, 'another-secret')).toBe(true)
  })

  it.each([
    ['cannot be read', new Error('EACCES')],
    ['says one token twice', { shared: 'x', individual: { w1: 'x' } }],
    ['has an empty one', { individual: { w1: '' } }],
    ['is nothing', null as unknown as WorkerTokens],
  ])('changes nothing when what it reads %s', async (_how, broken) => {
    const source = new Source()
    const server = await start({ workerTokens: source.read })
    source.tokens = broken
    expect(await reload(server)).toMatchObject({
      status: 400,
      body: { code: 'WORKERS_CONFIG_INVALID', error: expect.stringContaining('go on') as string },
    })
    expect(await isGood(server, OWN)).toBe(true)
    source.tokens = WITHOUT_W1
    expect(await reload(server)).toMatchObject({ status: 200 })
    expect(await isGood(server, OWN)).toBe(false)
  })

  it('must succeed for a start', async () => {
    const workerTokens = (): WorkerTokens => ({ individual: { w1: '' } })
    const engine = new OrchestratorEngine({
      logger: pino({ level: 'silent' }),
      config: { port: 0, workerTokens },
    })
    onTestFinished(() => engine.stop())
    await expect(engine.start()).rejects.toThrow("The token of worker 'w1' is empty")
  })
})
