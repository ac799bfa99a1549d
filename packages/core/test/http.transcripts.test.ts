/**
 * What a worker of each generation says, and what it must be answered, word by word, over real HTTP.
 *
 * An answer may say more than is written in a transcript, as older peers ignore what they do not know;
 * what is written must be there. `<text>`, `<number>`, `<text or null>`, `<absent>` and `<contains …>` stand
 * for values that differ from run to run; `{{name}}` for what an earlier answer said.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isJsonObject } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { LiveServer, TOKENS } from './support/live-server.ts'

interface Step {
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
  /** A worker that is told 204 asks again: for a moment, another one would go first. */
  readonly polls?: 'again while there is nothing'
  /** Names for fields of the answer, for later steps. */
  readonly capture?: Readonly<Record<string, string>>
}

interface Transcript {
  readonly generation: string
  readonly about: string
  readonly steps: readonly Step[]
}

const FOLDER = new URL('./fixtures/transcripts/', import.meta.url)
const transcripts = readdirSync(FOLDER).map(
  (file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Transcript,
)

const CREDENTIALS: Readonly<Record<Step['as'], Readonly<Record<string, string>>>> = {
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
  return JSON.parse(whole)
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

function send(server: LiveServer, step: Step, known: Map<string, string>): Promise<Response> {
  const { request } = step
  const body = request.text ?? JSON.stringify(filled(request.body, known))
  const hasType = request.headers?.['content-type'] !== undefined
  const isJson = request.body !== undefined && !hasType
  return fetch(server.url + String(filled(request.path, known)), {
    method: request.method,
    headers: {
      ...CREDENTIALS[step.as],
      ...(isJson && { 'content-type': 'application/json' }),
      ...request.headers,
    },
    ...((request.body !== undefined || request.text !== undefined) && { body }),
  })
}

async function play(server: LiveServer, step: Step, known: Map<string, string>): Promise<void> {
  const { answer } = step
  let reply = await send(server, step, known)
  for (let n = 0; n < 20 && step.polls !== undefined && reply.status === 204; n += 1) {
    reply = await send(server, step, known)
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
  expect(differences(whole, written), `${step.name}\n${text}`).toEqual([])
  for (const [name, field] of Object.entries(step.capture ?? {})) {
    known.set(name, String(isJsonObject(said) ? said[field] : ''))
  }
}

describe.each(transcripts)('a worker of the generation $generation', ({ about, steps }) => {
  it(about, async () => {
    const server = await LiveServer.start([resize()], { pollTimeoutMs: 300 })
    const known = new Map<string, string>()
    for (const step of steps) await play(server, step, known)
  })
})

it('there is a transcript of every generation', () => {
  expect(transcripts.map(({ generation }) => generation).toSorted()).toEqual([
    'B13',
    'FORK',
    'HEAD',
  ])
})
