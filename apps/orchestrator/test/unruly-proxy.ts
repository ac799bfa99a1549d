/** Stands between workers and the program, and now and then does not pass on what it should. */
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SeededRandom } from '../../../packages/core/src/testing/seeded-random.ts'

/** What goes wrong with an exchange; of the last four the program has heard the request. */
const FAULTS = [
  'refused',
  '500',
  '429',
  'cut before',
  'cut after',
  'cut body',
  'hang',
  'garbage',
] as const
type Fault = (typeof FAULTS)[number]

/** How long an answer that never comes is waited for before the line is cut, in ms. */
const HANG_MS = 1_500

export interface UnrulyProxy {
  readonly url: string
  /** How often each went wrong. */
  readonly faults: ReadonlyMap<Fault, number>
  /** From now on all is passed on. */
  readonly behave: () => void
  readonly close: () => Promise<void>
}

/** @param share - of the exchanges that go wrong, from 0 to 1. */
export async function startUnrulyProxy(
  target: string,
  { seed, share }: { readonly seed: number; readonly share: number },
): Promise<UnrulyProxy> {
  const random = new SeededRandom(seed)
  const faults = new Map<Fault, number>()
  let isUnruly = true
  const server = createServer((asked, answer) => {
    const fault = isUnruly && random.chance(share) ? random.pick(FAULTS) : undefined
    if (fault !== undefined) faults.set(fault, (faults.get(fault) ?? 0) + 1)
    serve({ asked, answer, fault, target })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    faults,
    behave: () => {
      isUnruly = false
    },
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

interface Exchange {
  readonly asked: IncomingMessage
  readonly answer: ServerResponse
  readonly fault: Fault | undefined
  readonly target: string
}

function serve({ asked, answer, fault, target }: Exchange): void {
  if (fault === 'refused' || fault === '500' || fault === '429') {
    asked.resume()
    answer.writeHead(fault === 'refused' ? 503 : Number(fault)).end('{"error":"not now"}')
    return
  }
  if (fault === 'cut before') {
    asked.socket.destroy()
    return
  }
  const passed = request(new URL(asked.url ?? '/', target), {
    method: asked.method,
    headers: { ...asked.headers, connection: 'close' },
  })
  passed.on('error', () => asked.socket.destroy())
  passed.on('response', (response) => {
    passBack(response, { answer, fault })
  })
  answer.on('close', () => passed.destroy())
  asked.pipe(passed)
}

function passBack(
  response: IncomingMessage,
  { answer, fault }: Pick<Exchange, 'answer' | 'fault'>,
): void {
  const cut = (): void => {
    answer.socket?.destroy()
  }
  switch (fault) {
    case 'cut after':
      cut()
      break
    case 'cut body':
      answer.writeHead(200, { 'content-length': '1000' })
      answer.write('{"status":', cut)
      break
    case 'hang':
      setTimeout(cut, HANG_MS).unref()
      break
    case 'garbage':
      answer.writeHead(200, { 'content-type': 'application/json' }).end('\u0000<html>{{{')
      break
    default:
      response.on('error', cut)
      answer.writeHead(response.statusCode ?? 500, response.headers)
      response.pipe(answer)
  }
}
