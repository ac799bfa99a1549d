/** Webhooks: delivery, retries, bounds, and the addresses that are never called (D-58). */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { UnavailableError } from '@avtomatika/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { silentLog, type Log } from '../src/ports/log.ts'
import type { Notification } from '../src/ports/notifier.ts'
import { notifierContract, type NotifierBench } from '../src/testing/index.ts'
import { settled, SimulatedClock } from '../src/testing/simulated-clock.ts'
import { HttpNotifier, type HttpNotifierOptions } from '../src/webhooks/http-notifier.ts'
import type { PostRequest } from '../src/webhooks/post.ts'
import { isPrivateAddress } from '../src/webhooks/private-address.ts'

const SECRET_URL = 'https://hooks.example.com/path-secret?key=query-secret'

function aNotification(fields: Partial<Notification> = {}): Notification {
  return {
    id: 'job-1:7:notify',
    jobId: 'job-1',
    ownerId: 'client-1',
    url: SECRET_URL,
    event: 'job_finished',
    status: 'finished',
    result: { size: 3 },
    error: null,
    at: 0,
    ...fields,
  }
}

/** A log that is kept, and that can be waited for. */
class GivenUp {
  readonly lines: Record<string, unknown>[] = []
  #told: (() => void)[] = []

  readonly log: Log = {
    ...silentLog,
    warn: (fields, message) => {
      this.lines.push({ ...fields, message })
      for (const tell of this.#told.splice(0)) tell()
    },
  }

  async next(): Promise<Record<string, unknown> | undefined> {
    if (this.lines.length === 0) await new Promise<void>((resolve) => this.#told.push(resolve))
    return this.lines.shift()
  }
}

type Answer = number | Error | 'never'

/** A notifier whose requests go nowhere and are answered from a list; the last answer stays. */
function scripted(...answers: Answer[]) {
  const clock = new SimulatedClock(0)
  const givenUp = new GivenUp()
  const sent: { at: number; url: string; id: string | undefined }[] = []
  const pauses: number[] = []
  let open = 0
  let mostOpen = 0
  const send = async ({ url, headers, signal }: PostRequest): Promise<number> => {
    sent.push({ at: clock.now(), url, id: headers['x-avtomatika-delivery'] })
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? 200
    open += 1
    mostOpen = Math.max(mostOpen, open)
    try {
      if (answer === 'never') await once(signal, 'abort').then(() => signal.throwIfAborted())
      if (answer instanceof Error) throw answer
      return Number(answer)
    } finally {
      open -= 1
    }
  }
  const random = (): number => pauses.shift() ?? 0
  const notifier = new HttpNotifier({ send, clock, random, log: givenUp.log })
  return { notifier, clock, sent, givenUp, pauses, mostOpen: () => mostOpen }
}

describe('a webhook', () => {
  it('is sent once when it is answered with 2xx', async () => {
    const { notifier, clock, sent, givenUp } = scripted(204)
    await notifier.notify(aNotification())
    expect(notifier.pending).toBe(1)
    await settled()
    expect(await clock.step(Infinity), 'a timer is left').toBe(false)
    expect(sent).toHaveLength(1)
    expect([notifier.pending, givenUp.lines.length]).toEqual([0, 0])
  })

  it.each([
    [500, 8],
    [503, 8],
    [408, 8],
    [425, 8],
    [429, 8],
    [400, 1],
    [404, 1],
    [410, 1],
    [301, 1],
    [307, 1],
  ])('that is answered with %i is tried %i times', async (status, tries) => {
    const { notifier, clock, sent, givenUp } = scripted(status)
    await notifier.notify(aNotification())
    await clock.advance(600_000)
    expect(sent).toHaveLength(tries)
    expect(givenUp.lines).toMatchObject([{ attempts: tries }])
    expect(givenUp.lines[0]?.['reason']).toContain(`answered ${status}`)
    expect(notifier.pending).toBe(0)
  })

  it('is tried again after 2 s, and after pauses that double (D-71)', async () => {
    const { notifier, clock, sent } = scripted(500, new Error('reset'), 500)
    await notifier.notify(aNotification())
    await clock.advance(600_000)
    const seconds = sent.map(({ at }) => at / 1_000)
    expect(seconds).toEqual([0, 2, 6, 14, 30, 62, 126, 254])
  })

  it('is tried as often as the operator says, with pauses of at most 5 min', async () => {
    const sent: number[] = []
    const clock = new SimulatedClock(0)
    const send = async (): Promise<number> => {
      sent.push(clock.now() / 1_000)
      return 500
    }
    const notifier = new HttpNotifier({ send, clock, attempts: 11, random: () => 0 })
    await notifier.notify(aNotification())
    await clock.advance(3_600_000)
    expect(sent.slice(8)).toEqual([510, 810, 1_110])
    expect(notifier.pending).toBe(0)
  })

  it('is tried again a little earlier by chance, so that a crowd spreads', async () => {
    const { notifier, clock, sent, pauses } = scripted(500, 500, 200)
    pauses.push(1, 0.5)
    await notifier.notify(aNotification())
    await clock.advance(60_000)
    expect(sent.map(({ at }) => at)).toEqual([0, 1_500, 5_000])
  })

  it('has 10 s for an answer', async () => {
    const { notifier, clock, sent, givenUp } = scripted('never', 200)
    await notifier.notify(aNotification())
    await clock.advance(9_999)
    expect(sent).toHaveLength(1)
    await clock.advance(2_001)
    expect(sent.map(({ at }) => at)).toEqual([0, 12_000])
    expect([notifier.pending, givenUp.lines.length]).toEqual([0, 0])
  })

  it('that is under way already is not sent twice', async () => {
    const { notifier, clock, sent } = scripted(500, 200)
    await notifier.notify(aNotification())
    await clock.advance(1_000)
    await notifier.notify(aNotification())
    await clock.advance(60_000)
    expect(sent).toHaveLength(2)
    await notifier.notify(aNotification())
    await clock.advance(1)
    expect(sent).toHaveLength(3)
  })

  it('is given up with its job and host in the log, and nothing else of the URL', async () => {
    const message = `getaddrinfo failed for ${SECRET_URL}`
    const { notifier, clock, givenUp } = scripted(
      Object.assign(new Error(message), { code: 'ENOTFOUND' }),
    )
    await notifier.notify(aNotification())
    await clock.advance(600_000)
    expect(givenUp.lines).toMatchObject([
      { jobId: 'job-1', event: 'job_finished', host: 'hooks.example.com', reason: 'ENOTFOUND' },
    ])
    expect(JSON.stringify(givenUp.lines)).not.toContain('secret')
  })
})

describe('the queue of webhooks', () => {
  const many = (count: number): Notification[] =>
    Array.from({ length: count }, (_, i) => aNotification({ id: `n${i}` }))

  it('calls five at a time', async () => {
    const { notifier, clock, sent, mostOpen } = scripted('never')
    for (const each of many(40)) await notifier.notify(each)
    await clock.advance(9_999)
    expect(sent.map(({ id }) => id)).toEqual(['n0', 'n1', 'n2', 'n3', 'n4'])
    await clock.advance(3_600_000)
    expect([mostOpen(), sent.length]).toEqual([5, 320])
  })

  it('goes in order', async () => {
    const { notifier, clock, sent } = scripted(200)
    await Promise.all(many(40).map((each) => notifier.notify(each)))
    await clock.advance(1)
    expect(sent.map(({ id }) => id)).toEqual(many(40).map(({ id }) => id))
  })

  it('lets others pass while one pauses', async () => {
    const { notifier, clock, sent } = scripted(500, 500, 500, 500, 500, 200)
    for (const each of many(6)) await notifier.notify(each)
    await clock.advance(1)
    expect(sent.map(({ id }) => id)).toContain('n5')
    await clock.advance(60_000)
    expect(notifier.pending).toBe(0)
  })

  it('takes 1,000 and no more, and takes again when there is room', async () => {
    const { notifier, clock } = scripted('never')
    for (const each of many(1_000)) await notifier.notify(each)
    const refused = notifier.notify(aNotification({ id: 'one more' }))
    await expect(refused).rejects.toSatisfy(UnavailableError.is)
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 2_000 })
    await notifier.notify(aNotification({ id: 'n7' }))
    await clock.advance(30_000)
    expect(notifier.pending).toBe(1_000)
    await clock.advance(20_000 * 1_000)
    expect(notifier.pending).toBe(0)
    await notifier.notify(aNotification({ id: 'one more' }))
  })
})

describe('the notifier in this process', () => {
  const opened: HttpNotifier[] = []
  const bench: NotifierBench = {
    open: (options) => {
      const notifier = new HttpNotifier(options)
      opened.push(notifier)
      return Promise.resolve(notifier)
    },
    close: async () => {
      await Promise.all(opened.splice(0).map((notifier) => notifier.stop(0)))
    },
  }
  for (const { name, run } of notifierContract) it(name, () => run(() => Promise.resolve(bench)))

  it('keeps the newest 1,000 dead letters', async () => {
    const { notifier, clock } = scripted(410)
    for (let i = 0; i < 1_001; i += 1) await notifier.notify(aNotification({ id: `n${i}` }))
    await clock.advance(1)
    const letters = await notifier.listDeadLetters({ limit: 2_000 })
    expect(letters).toHaveLength(1_000)
    expect([letters[0]?.id, letters.at(-1)?.id]).toEqual(['n1000', 'n1'])
    expect(letters[0]?.failedAt).toBe(0)
  })
})

describe('stopping', () => {
  it('waits for what is under way, and takes nothing more', async () => {
    let answer = (_: number): void => undefined
    const send = (): Promise<number> => new Promise((resolve) => (answer = resolve))
    const notifier = new HttpNotifier({ send, clock: new SimulatedClock(0) })
    await notifier.notify(aNotification())
    let isStopped = false
    const stopped = notifier.stop().then(() => (isStopped = true))
    await settled()
    expect(isStopped).toBe(false)
    await expect(notifier.notify(aNotification())).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    answer(200)
    await stopped
    expect(notifier.pending).toBe(0)
  })

  it('tries what pauses once more, at once', async () => {
    const { notifier, clock, sent, givenUp } = scripted(500, 500, 200, 500)
    await notifier.notify(aNotification({ id: 'lucky' }))
    await notifier.notify(aNotification({ id: 'not' }))
    await clock.advance(10)
    await notifier.stop()
    expect(sent.map(({ at }) => at)).toEqual([0, 0, 10, 10])
    expect(givenUp.lines).toMatchObject([{ deliveryId: 'not', attempts: 2 }])
  })

  it('gives up what is left after the grace time, each with a word in the log', async () => {
    const { notifier, clock, givenUp } = scripted('never')
    for (let i = 0; i < 7; i += 1) await notifier.notify(aNotification({ id: `n${i}` }))
    const both = Promise.all([notifier.stop(100), notifier.stop()])
    await clock.advance(99)
    expect(givenUp.lines).toEqual([])
    await clock.advance(1)
    await both
    expect(givenUp.lines.map(({ reason }) => reason)).toEqual(Array(7).fill('the server stopped'))
    expect(notifier.pending).toBe(0)
  })
})

/** A receiver on this machine. */
class Receiver implements AsyncDisposable {
  readonly #server: Server
  readonly requests: { head: IncomingMessage; body: string }[] = []

  constructor(answer: (response: ServerResponse) => void) {
    this.#server = createServer((head, response) => {
      void text(head).then((body) => {
        this.requests.push({ head, body })
        answer(response)
      })
    })
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

const opened: HttpNotifier[] = []

function opening(options: HttpNotifierOptions = {}) {
  const givenUp = new GivenUp()
  const clock = new SimulatedClock(0)
  const notifier = new HttpNotifier({ clock, log: givenUp.log, ...options })
  opened.push(notifier)
  return { notifier, givenUp, clock }
}

/** Chance is asked exactly when a pause begins. */
function pausing() {
  let begin = (): void => undefined
  const pause = new Promise<void>((resolve) => (begin = resolve))
  return { pause, random: (): number => (begin(), 0) }
}

afterEach(async () => {
  for (const notifier of opened.splice(0)) await notifier.stop()
})

describe('over HTTP, a webhook', () => {
  it('is a POST with the job in JSON and an id of the delivery', async () => {
    await using receiver = await new Receiver((response) => response.end()).listen()
    const { notifier, givenUp } = opening({ allowPrivateHosts: true })
    const url = `http://127.0.0.1:${receiver.port}/hook?key=1`
    await notifier.notify(aNotification({ url, result: { é: ['ü'] }, error: 'no luck' }))
    await notifier.stop()
    expect(givenUp.lines).toEqual([])
    const [request] = receiver.requests
    expect(request?.head).toMatchObject({ method: 'POST', url: '/hook?key=1' })
    expect(request?.head.headers).toMatchObject({
      'content-type': 'application/json',
      'x-avtomatika-delivery': 'job-1:7:notify',
    })
    expect(JSON.parse(request?.body ?? '')).toEqual({
      event: 'job_finished',
      job_id: 'job-1',
      status: 'finished',
      result: { é: ['ü'] },
      error: 'no luck',
    })
  })

  it('is delivered when the head of the answer is there, however long its body', async () => {
    let closed = (): void => undefined
    const hungUp = new Promise<void>((resolve) => (closed = resolve))
    await using receiver = await new Receiver((response) => {
      response.on('close', closed).writeHead(200).write('x')
    }).listen()
    const { notifier, givenUp } = opening({ allowPrivateHosts: true })
    await notifier.notify(aNotification({ url: `http://127.0.0.1:${receiver.port}` }))
    await notifier.stop()
    await hungUp
    expect(givenUp.lines).toEqual([])
  })

  it('does not follow a redirect', async () => {
    await using target = await new Receiver((response) => response.end()).listen()
    const location = `http://127.0.0.1:${target.port}/`
    await using receiver = await new Receiver((response) =>
      response.writeHead(307, { location }).end(),
    ).listen()
    const { notifier, givenUp } = opening({ allowPrivateHosts: true })
    await notifier.notify(aNotification({ url: `http://127.0.0.1:${receiver.port}` }))
    const reason = 'answered 307; redirects are not followed'
    expect(await givenUp.next()).toMatchObject({ reason, attempts: 1 })
    expect(target.requests).toEqual([])
  })

  it('is ended by its timeout while the receiver says nothing', async () => {
    await using receiver = await new Receiver(() => undefined).listen()
    const { pause, random } = pausing()
    const { notifier, clock, givenUp } = opening({ allowPrivateHosts: true, random })
    await notifier.notify(aNotification({ url: `http://127.0.0.1:${receiver.port}` }))
    await clock.advance(10_000)
    await pause
    const stopped = notifier.stop(1)
    await clock.advance(1)
    await stopped
    expect(givenUp.lines).toMatchObject([{ attempts: 2, reason: 'the server stopped' }])
  })

  it('looks a name up once, and connects to what was found', async () => {
    await using receiver = await new Receiver((response) => response.end()).listen()
    const asked: string[] = []
    const resolve = async (hostname: string) => {
      asked.push(hostname)
      return [{ address: '127.0.0.1', family: 4 }]
    }
    const { notifier } = opening({ allowPrivateHosts: true, resolve })
    await notifier.notify(aNotification({ url: `http://hooks.test:${receiver.port}/` }))
    await notifier.stop()
    expect(asked).toEqual(['hooks.test'])
    expect(receiver.requests[0]?.head.headers.host).toBe(`hooks.test:${receiver.port}`)
  })

  it('to a name that has no address is tried again', async () => {
    const { pause, random } = pausing()
    const { notifier, givenUp } = opening({ resolve: async () => [], random })
    await notifier.notify(aNotification())
    await pause
    await notifier.stop()
    expect(givenUp.lines).toMatchObject([{ attempts: 2, reason: 'ENOTFOUND' }])
  })
})

const PRIVATE = 'the host is, or resolves to, a private address'

describe('a webhook that points inside (D-58)', () => {
  it.each([
    'http://127.0.0.1/',
    'http://127.0.0.1./',
    'http://127.1/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://0x7f000001/',
    'http://①②⑦.0.0.1/',
    'http://0.0.0.0/',
    'http://10.1.2.3/',
    'http://172.31.0.1/',
    'https://192.168.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://100.100.100.200/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a00:1]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[fd00:ec2::254]/',
    'http://[fe80::1]/',
    'http://[2002:7f00:1::]/',
    // Whatever this machine's own look-up says of it.
    'http://localhost/',
  ])('is refused at once: %s', async (url) => {
    const { notifier, givenUp } = opening()
    await notifier.notify(aNotification({ url }))
    expect(await givenUp.next()).toMatchObject({ reason: PRIVATE, attempts: 1 })
  })

  it.each([
    ['a private address', ['10.0.0.1']],
    ['the metadata service', ['169.254.169.254']],
    ['a mapped address', ['::ffff:192.168.1.1']],
    ['a zone of this machine', ['fe80::1%eth0']],
    ['no address at all', ['surprise']],
    ['a private address among public ones', ['8.8.8.8', '2606:4700::1111', '::1']],
  ])('is refused when its name means %s', async (_, addresses) => {
    const resolve = async () => addresses.map((address) => ({ address, family: 4 }))
    for (const scheme of ['http', 'https']) {
      const { notifier, givenUp } = opening({ resolve })
      await notifier.notify(aNotification({ url: `${scheme}://inside.example.com/` }))
      expect(await givenUp.next()).toMatchObject({ reason: PRIVATE, attempts: 1 })
    }
  })

  it('reaches nobody', async () => {
    await using receiver = await new Receiver((response) => response.end()).listen()
    const { notifier, givenUp } = opening()
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:7f00:1]']) {
      await notifier.notify(aNotification({ id: host, url: `http://${host}:${receiver.port}/` }))
      expect(await givenUp.next()).toMatchObject({ reason: PRIVATE })
    }
    expect(receiver.requests).toEqual([])
  })
})

describe('a webhook that is no web address', () => {
  it.each([
    ['ftp://example.com/', 'the scheme ftp: is not http: or https:', 'example.com'],
    ['file:///etc/passwd', 'the scheme file: is not http: or https:', ''],
    ['https://user:hidden@example.com/', 'the URL holds credentials', 'example.com'],
    ['not a url', 'the URL cannot be read', 'unreadable URL'],
  ])('is given up: %s', async (url, reason, host) => {
    const { notifier, givenUp } = opening({ allowPrivateHosts: true })
    await notifier.notify(aNotification({ url }))
    const line = await givenUp.next()
    expect(line).toMatchObject({ reason, host, attempts: 1 })
    expect(JSON.stringify(line)).not.toContain('hidden')
  })
})

describe('an address', () => {
  it.each(['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111'])(
    '%s is public',
    (address) => expect(isPrivateAddress(address)).toBe(false),
  )
  it.each(['::ffff:8.8.8.8', '64:ff9b::808:808', '2a00:1450:4001:80e::200e'])(
    '%s is public, too',
    (address) => expect(isPrivateAddress(address)).toBe(false),
  )
  it.each([
    ...['100.64.0.1', '198.18.0.1', '192.0.2.1', '203.0.113.9', '224.0.0.1', '255.255.255.255'],
    ...[
      'fc00::1',
      'ff02::1',
      '::127.0.0.1',
      '2001:db8::1',
      '2001::1',
      '64:ff9b:1::1',
      '::ffff:0:0',
    ],
    ...['', '1.2.3', 'fe80::1%lo', '8.8.8.8]'],
  ])('%s is not', (address) => expect(isPrivateAddress(address)).toBe(true))
})
