/**
 * What a worker of each generation says, and what it must be answered, word by word, over real HTTP and on
 * real connections.
 *
 * An answer may say more than is written in a transcript, as older peers ignore what they do not know;
 * what is written must be there. `<text>`, `<number>`, `<text or null>`, `<absent>` and `<contains …>` stand
 * for values that differ from run to run; `{{name}}` for what an earlier answer said; `<signed>` for the
 * signature of a message that names such values. Other signatures stand there as another program made them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isJsonObject } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { LiveServer, TOKENS, WORKER_TOKEN } from './support/live-server.ts'
import { TestSocket } from './support/open-socket.ts'
import { ShiftedClock } from './support/shifted-clock.ts'
import { signed } from './support/sign.ts'
import { openStorage } from './support/storage-under-test.ts'

interface Exchange {
  readonly name: string
  readonly as: 'worker' | 'client' | 'older client' | 'stranger' | 'nobody'
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly text?: string
  }
  readonly answer: {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
  }
  /**
   * A worker that is told 204 asks again: for a moment, another one would go first. What was said on a
   * connection shows when it shows.
   */
  readonly polls?: 'again while there is nothing' | 'again until it is so'
  /** Seconds that go by before. */
  readonly passes?: number
  /** Names for fields of the answer, for later steps. */
  readonly capture?: Readonly<Record<string, string>>
}

/** Something that happens on the connection of this name. */
interface OnSocket {
  readonly name: string
  readonly as: 'worker'
  readonly socket: string
  readonly open?: { readonly path: string; readonly headers?: Readonly<Record<string, string>> }
  readonly say?: unknown
  readonly hear?: unknown
  readonly closed?: readonly [code: number, reason: string]
}

type Step = Exchange | OnSocket

interface Transcript {
  readonly generation: string
  readonly about: string
  /** The time, in seconds since 1970. Default: that of this machine. */
  readonly startsAt?: number
  readonly steps: readonly Step[]
}

const FOLDER = new URL('./fixtures/transcripts/', import.meta.url)
const transcripts = readdirSync(FOLDER).map(
  (file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Transcript,
)

const CREDENTIALS: Readonly<Record<Exchange['as'], Readonly<Record<string, string>>>> = {
  worker: { 'x-worker-token': 'worker-secret' },
  client: { 'x-client-token': TOKENS.owner },
  'older client': { 'x-avtomatika-token': TOKENS.owner },
  stranger: { 'x-worker-token': 'wrong-secret' },
  nobody: {},
}

function resize(): Blueprint {
  return new Blueprint('resize', { endpoint: '/jobs/resize', version: 'v1' })
    .state('start', { start: true }, ({ actions, initialData }) => {
      const transitions = { success: 'done', too_big: 'review' }
      actions.dispatchTask({ type: 'resize', params: { ...initialData }, transitions, priority: 5 })
    })
    .state('done', { end: true })
    .state('review', { end: true })
}

/** Puts in what earlier answers said. */
function filled(value: unknown, known: ReadonlyMap<string, string>): unknown {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) return undefined
  const whole = text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const said = known.get(name)
    if (said === undefined) throw new Error(`Nobody has said {{${name}}} yet.`)
    return said
  })
  return withSignature(JSON.parse(whole))
}

function withSignature(value: unknown): unknown {
  if (!isJsonObject(value) || !isJsonObject(value['security'])) return value
  if (value['security']['signature'] !== '<signed>') return value
  return signed(value, WORKER_TOKEN, String(value['security']['signer_id']))
}

/** One play of a transcript. */
interface Stage {
  readonly server: LiveServer
  readonly clock: ShiftedClock
  /** What was said so far, by name. */
  readonly known: Map<string, string>
  readonly sockets: Map<string, TestSocket>
}

/** What of an answer is not as it was written, with its path. */
function differences(said: unknown, written: unknown, path = 'answer'): readonly string[] {
  if (typeof written === 'string' && written.startsWith('<')) {
    return isSuch(said, written) ? [] : [`${path}: ${JSON.stringify(said)} is not ${written}`]
  }
  if (isJsonObject(written) && isJsonObject(said) && Object.keys(written).length > 0) {
    return Object.entries(written).flatMap(([name, one]) =>
      differences(said[name], one, `${path}.${name}`),
    )
  }
  const [is, should] = [said, written].map((one) => JSON.stringify(one))
  return is === should ? [] : [`${path}: ${String(is)} is not ${String(should)}`]
}

function isSuch(said: unknown, written: string): boolean {
  if (written === '<absent>') return said === undefined
  if (written === '<text or null>') return said === null || typeof said === 'string'
  if (written === '<number>') return typeof said === 'number'
  if (typeof said !== 'string' || said === '') return false
  const part = /^<contains (.*)>$/.exec(written)?.[1]
  return part === undefined ? written === '<text>' : said.includes(part)
}

function send(step: Exchange, { server, known }: Stage): Promise<Response> {
  const { request } = step
  const body = request.text ?? JSON.stringify(filled(request.body, known))
  const hasType = request.headers?.['content-type'] !== undefined
  const isJson = request.body !== undefined && !hasType
  return fetch(server.url + String(filled(request.path, known)), {
    method: request.method,
    headers: {
      ...CREDENTIALS[step.as],
      ...(isJson && { 'content-type': 'application/json' }),
      ...(filled(request.headers, known) as Readonly<Record<string, string>> | undefined),
    },
    ...((request.body !== undefined || request.text !== undefined) && { body }),
  })
}

/** Sends, and holds the answer against what is written. */
async function exchange(step: Exchange, stage: Stage): Promise<void> {
  const { answer } = step
  const { known } = stage
  let reply = await send(step, stage)
  for (let n = 0; n < 20 && step.polls !== undefined && reply.status === 204; n += 1) {
    reply = await send(step, stage)
  }
  const text = await reply.text()
  const said: unknown = text === '' ? undefined : JSON.parse(text)
  const headers = Object.keys(answer.headers ?? {}).map((name) => [name, reply.headers.get(name)])
  const whole = {
    status: reply.status,
    headers: Object.fromEntries(headers) as unknown,
    body: said,
  }
  const written = filled({ headers: {}, ...answer }, known)
  const found = differences(whole, written)
  if (found.length > 0 && step.polls === 'again until it is so') return exchange(step, stage)
  expect(found, `${step.name}\n${text}`).toEqual([])
  for (const [name, field] of Object.entries(step.capture ?? {})) {
    known.set(name, String(isJsonObject(said) ? said[field] : ''))
  }
}

async function onSocket(step: OnSocket, { server, known, sockets }: Stage): Promise<void> {
  if (step.open !== undefined) {
    const headers = { ...CREDENTIALS.worker, ...step.open.headers }
    sockets.set(step.socket, await TestSocket.open(server.url, step.open.path, headers))
  }
  const socket = sockets.get(step.socket)
  if (socket === undefined) throw new Error(`${step.name}: nobody has opened ${step.socket}.`)
  if (step.say !== undefined) socket.say(filled(step.say, known))
  if (step.hear !== undefined) {
    expect(differences(await socket.next(), filled(step.hear, known)), step.name).toEqual([])
  }
  if (step.closed !== undefined) expect(await socket.closed, step.name).toEqual(step.closed)
}

async function play(step: Step, stage: Stage): Promise<void> {
  if ('socket' in step) return onSocket(step, stage)
  if (step.passes !== undefined) stage.clock.pass(step.passes * 1000)
  return exchange(step, stage)
}

describe.each(transcripts)(
  'a worker of the generation $generation',
  ({ about, startsAt, steps }) => {
    it(about, async () => {
      const clock = new ShiftedClock(startsAt === undefined ? Date.now() : startsAt * 1000)
      const workerTokens = { shared: WORKER_TOKEN, individual: { 'gpu-9': 'gpu-9-secret' } }
      const config = { pollTimeoutMs: 300, workerTokens }
      const server = await LiveServer.start([resize()], config, openStorage(), clock)
      const stage: Stage = { server, clock, known: new Map(), sockets: new Map() }
      for (const step of steps) await play(step, stage)
    })
  },
)

it('there is a transcript of every generation', () => {
  const generations = new Set(transcripts.map(({ generation }) => generation))
  expect([...generations].toSorted()).toEqual(['B13', 'FORK', 'HEAD'])
})
