/** Asks a Redis whether it is there, over a bare socket: tests of a client must not depend on that client. */
import { connect } from 'node:net'

const ANSWER_WITHIN_MS = 2_000

/** The first line of the answer to one command in Redis' inline form, such as `PING` or `GET key`. */
export function askRedis(address: { host: string; port: number }, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const where = `${address.host}:${address.port}`
    const socket = connect(address, () => socket.write(`${line}\r\n`))
    let answer = ''
    const finish = (error?: Error) => {
      socket.destroy()
      if (error) reject(error)
      else resolve(answer.replaceAll('\r', '').trimEnd())
    }
    socket.setTimeout(ANSWER_WITHIN_MS, () =>
      finish(new Error(`${where} did not answer within ${ANSWER_WITHIN_MS} ms.`)),
    )
    socket.on('error', (cause) => finish(new Error(`Cannot reach ${where}.`, { cause })))
    socket.on('close', () => finish(new Error(`${where} hung up without an answer.`)))
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text
      if (isComplete(answer)) finish()
    })
  })
}

/** Only a bulk string (`$3\r\nabc\r\n`, `$-1\r\n`) takes two lines. */
function isComplete(answer: string): boolean {
  const lines = answer.split('\r\n').length - 1
  return lines >= (/^\$\d/.test(answer) ? 2 : 1)
}

/** Fails with what to do when nobody listens where the environment says. The URL's password is not shown. */
export async function assertAnswers(url: string): Promise<void> {
  const { protocol, hostname, port } = parseUrl(url)
  const address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) }
  // A server that wants TLS would not understand a bare PING; the tests' own client finds out.
  if (protocol === 'rediss:') return
  try {
    await askRedis(address, 'PING')
  } catch (cause) {
    throw new Error(
      `AVTOMATIKA_TEST_REDIS_URL names ${address.host}:${address.port}, where no Redis answers. ` +
        'Start it, or unset the variable to let the tests start a Redis of their own.',
      { cause },
    )
  }
}

function parseUrl(url: string): URL {
  const parsed = URL.parse(url)
  if (parsed !== null && /^rediss?:$/.test(parsed.protocol) && parsed.hostname !== '') return parsed
  throw new Error(
    'AVTOMATIKA_TEST_REDIS_URL is not a Redis address. Write redis://host:port (rediss:// for TLS).',
  )
}
