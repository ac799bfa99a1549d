import { describe, expect, it, onTestFinished } from 'vitest'

import { DIAL_MS, PONG_MS, SILENCE_MS } from '../src/live-socket.ts'
import { FakeOrchestrator, type ScriptedUpgrade } from './fake-orchestrator.ts'
import { frameOf, type FakeSocket } from './fake-socket.ts'
import { aTask, gate, openBench, TOKEN } from './setup.ts'

const CANCEL = { command: 'cancel_task', type: 'cancel_task', job_id: 'j1', task_id: 't1' }

/** A worker with one task that runs until it is aborted, and what it heard. */
async function openLine(options: Parameters<typeof openBench>[0] = {}) {
  // Heartbeats have no part in this, and no timers that look like those of the connection.
  const env = { HEARTBEAT_INTERVAL: '12345', WORKER_HEARTBEAT_COOLDOWN: '12345' }
  const bench = await openBench({ websockets: true, env, ...options })
  const started = gate()
  bench.worker.task('wait', async ({ signal }) => {
    started.open()
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve)
    })
    signal.throwIfAborted()
  })
  bench.worker.task('echo', () => ({ fine: true }))
  return { ...bench, started }
}

type Stage = Awaited<ReturnType<typeof openLine>>

/** The worker still does what it is for, over HTTP. */
async function expectWork({ server }: Stage, taskId: string): Promise<void> {
  server.push(aTask({ task_id: taskId }))
  await server.when(() => server.results.some(({ task_id: id }) => id === taskId))
}

describe('the connection for commands', () => {
  it('is not dialled unless it is asked for', async () => {
    const stage = await openLine({ websockets: false })
    await stage.worker.start()
    await expectWork(stage, 't1')
    expect(stage.server.dials).toEqual([])
    const { body } = await stage.server.nth('register', 1)
    expect(body['capabilities']).toMatchObject({ extra: { websockets: false } })
  })

  it('is dialled after the registration, with the same credentials', async () => {
    const { server, worker } = await openLine()
    await worker.start()
    const { request } = await server.socket(1)
    expect(request.url).toBe('/_worker/ws/w1')
    expect(request.headers).toMatchObject({ 'x-worker-token': TOKEN, 'x-worker-id': 'w1' })
    const { body } = await server.nth('register', 1)
    expect(body['capabilities']).toMatchObject({ extra: { websockets: true } })
  })

  it('aborts a task at once', async () => {
    const { server, worker, started } = await openLine()
    await worker.start()
    const socket = await server.socket(1)
    server.push(aTask({ type: 'wait' }))
    await started.opened
    socket.send(CANCEL)
    const { body } = await server.nth('result', 1)
    expect(body).toMatchObject({ task_id: 't1', status: 'cancelled' })
  })

  it('aborts a task for the first generation, which says `type` only', async () => {
    const { server, worker, started } = await openLine()
    await worker.start()
    const socket = await server.socket(1)
    server.push(aTask({ type: 'wait' }))
    await started.opened
    socket.send({ type: 'cancel_task', task_id: 't1', job_id: 'j1' })
    expect((await server.nth('result', 1)).body).toMatchObject({ status: 'cancelled' })
  })

  it('aborts no task of another orchestrator', async () => {
    const [first, second] = [await FakeOrchestrator.open(), await FakeOrchestrator.open()]
    onTestFinished(async () => {
      await first.close()
      await second.close()
    })
    const orchestrators = [{ url: first.url }, { url: second.url }]
    const { worker, started } = await openLine({ orchestrators })
    await worker.start()
    const sockets = [await first.socket(1), await second.socket(1)]
    second.push(aTask({ type: 'wait' }))
    await started.opened
    sockets[0]?.send(CANCEL)
    sockets[0]?.ping()
    await first.when(() => sockets[0]?.count('pong') === 1)
    sockets[1]?.send({ ...CANCEL, task_id: 'another' })
    sockets[1]?.ping()
    await second.when(() => sockets[1]?.count('pong') === 1)
    expect(second.results).toEqual([])
    sockets[1]?.send(CANCEL)
    await second.nth('result', 1)
    expect(second.results).toMatchObject([{ task_id: 't1', status: 'cancelled' }])
  })

  it('hands commands to their handlers; one that never ends holds up no cancellation', async () => {
    const { server, worker, started, logger } = await openLine()
    const heard: unknown[] = []
    const reloaded = gate()
    worker.onCommand('reload', ({ params, taskId, orchestratorUrl }) => {
      heard.push({ params, taskId, orchestratorUrl })
      reloaded.open()
      return new Promise(() => undefined)
    })
    worker.onCommand('fail', () => {
      throw new Error('no such thing')
    })
    await worker.start()
    const socket = await server.socket(1)
    server.push(aTask({ type: 'wait' }))
    await started.opened
    socket.send({ command: 'fail' })
    socket.send({ command: 'unheard_of' })
    socket.send({ command: 'reload', params: { model: 'm' } })
    await reloaded.opened
    socket.send(CANCEL)
    await server.nth('result', 1)
    expect(heard).toEqual([
      { params: { model: 'm' }, taskId: undefined, orchestratorUrl: server.url },
    ])
    const messages = logger.lines.map(({ message }) => message)
    expect(messages).toContain('the handler of a command failed')
    expect(messages).toContain('a command that this worker does not know')
  })

  it('takes a cancellation before the handler of a command that came with it', async () => {
    const { server, worker, started } = await openLine()
    const order: string[] = []
    const done = gate()
    worker.onCommand('work', () => {
      order.push('command')
      done.open()
    })
    worker.task('listen', async ({ signal }) => {
      started.open()
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          order.push('cancelled')
          resolve()
        })
      })
    })
    await worker.start()
    const socket = await server.socket(1)
    server.push(aTask({ type: 'listen' }))
    await started.opened
    const both = [{ command: 'work' }, CANCEL].map((said) =>
      frameOf(1, Buffer.from(JSON.stringify(said))),
    )
    socket.write(Buffer.concat(both))
    await done.opened
    expect(order).toEqual(['cancelled', 'command'])
  })

  it('refuses names of commands that are empty, taken or its own', async () => {
    const { worker } = await openLine()
    worker.onCommand('reload', () => undefined)
    for (const name of ['', 'reload', 'cancel_task']) {
      expect(() => worker.onCommand(name, () => undefined)).toThrow(/command/)
    }
  })

  it('says so when commands cannot arrive', async () => {
    const { worker, logger } = await openLine({ websockets: false })
    worker.onCommand('reload', () => undefined)
    await worker.start()
    expect(logger.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        fields: expect.objectContaining({ commands: ['reload'] }) as unknown,
      }),
    )
  })

  it('carries progress; events go by requests, which are answered', async () => {
    const { server, worker } = await openLine()
    worker.task('report', async ({ progress, emit }) => {
      progress(0.5, 'half')
      await emit('page_read', { page: 1 })
    })
    await worker.start()
    const socket = await server.socket(1)
    server.push(aTask({ type: 'report' }))
    await server.nth('result', 1)
    await server.when(() => socket.texts.length > 0)
    expect(socket.texts.map((text) => JSON.parse(text) as unknown)).toMatchObject([
      { event_type: 'progress', worker_id: 'w1', target_task_id: 't1', payload: { progress: 0.5 } },
    ])
    expect(server.of('event').map(({ body }) => body['event_type'])).toEqual(['page_read'])
  })

  it('answers pings, and is closed with a word when the worker stops', async () => {
    const { server, worker } = await openLine()
    await worker.start()
    const socket = await server.socket(1)
    socket.ping()
    await server.when(() => socket.count('pong') === 1)
    await worker.stop()
    expect(socket.count('close')).toBe(1)
  })

  it('is opened again when it ends, and progress takes the other way meanwhile', async () => {
    const { server, clock, worker } = await openLine()
    worker.task('report', ({ progress }) => {
      progress(0.5)
    })
    await worker.start()
    const first = await server.socket(1)
    first.close(1001, 'Server shutdown')
    await clock.timer(1500)
    server.push(aTask({ type: 'report' }))
    await server.nth('event', 1)
    clock.advance(1500)
    await server.socket(2)
  })

  it('waits long after another connection took its place: two workers with one id must not chase each other', async () => {
    const { server, clock, worker, logger } = await openLine()
    const replace = (socket: FakeSocket): void => {
      socket.close(1008, 'New connection established')
    }
    server.scriptUpgrade(replace, replace)
    await worker.start()
    await clock.pass(17_000)
    await clock.timer(30_500)
    expect(logger.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  it('is given up when the other side is silent and does not answer a ping', async () => {
    const { server, clock, worker } = await openLine()
    await worker.start()
    const socket = await server.socket(1)
    socket.isPolite = false
    await clock.timer(SILENCE_MS)
    clock.advance(SILENCE_MS)
    await server.when(() => socket.count('ping') === 1)
    await clock.pass(PONG_MS)
    await server.when(() => socket.isClosed)
    await clock.timer(1500)
  })

  it('stays when the other side is silent and answers pings', async () => {
    const { server, clock, worker } = await openLine()
    await worker.start()
    const socket = await server.socket(1)
    for (let round = 1; round <= 3; round += 1) {
      await clock.timer(SILENCE_MS)
      clock.advance(SILENCE_MS)
      await server.when(() => socket.count('ping') === round)
      await clock.timer(PONG_MS)
      socket.ping()
      await server.when(() => socket.count('pong') === round)
      clock.advance(PONG_MS)
    }
    expect(socket.isClosed).toBe(false)
    expect(server.dials).toHaveLength(1)
  })
})

describe('an orchestrator whose WebSocket is no good does not disturb the work', () => {
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
  const hugeFrame = Buffer.from([0x81, 127, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff])
  const reserved = Buffer.from([0xf3, 0x05, 1, 2, 3, 4, 5])
  const masked = Buffer.from([0x81, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const badUtf8 = frameOf(1, Buffer.from([0xff, 0xfe, 0xfd]))
  const after = (act: (socket: FakeSocket) => void): ScriptedUpgrade => act

  it.each<[string, ScriptedUpgrade]>([
    ['refuses with 401', 401],
    ['refuses with 403', 403],
    ['refuses with 404', 404],
    ['answers 500', 500],
    ['answers 200 as if it were a page', 200],
    ['redirects', 302],
    ['cuts the line', 'cut'],
    ['answers with garbage', bytes('\u0000\u0001SSH-2.0-what\r\n\r\n')],
    [
      'accepts without the right key',
      bytes(
        'HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: no\r\n\r\n',
      ),
    ],
    [
      'closes at once',
      after((socket) => {
        socket.close(1000, '')
      }),
    ],
    [
      'closes with a code that does not exist',
      after((socket) => {
        socket.close(7, 'x')
      }),
    ],
    [
      'is cut at once',
      after((socket) => {
        socket.cut()
      }),
    ],
    [
      'announces a frame of 2 GiB',
      after((socket) => {
        socket.write(hugeFrame)
      }),
    ],
    [
      'sends a frame of 2 MiB',
      after((socket) => {
        socket.write(frameOf(1, Buffer.alloc(2 * 1024 * 1024, 97)))
      }),
    ],
    [
      'sends bits that mean nothing',
      after((socket) => {
        socket.write(reserved)
      }),
    ],
    [
      'sends frames that are masked',
      after((socket) => {
        socket.write(masked)
      }),
    ],
    [
      'sends text that is no UTF-8',
      after((socket) => {
        socket.write(badUtf8)
      }),
    ],
    [
      'sends nothing but garbage',
      after((socket) => {
        for (let n = 0; n < 200; n += 1)
          socket.send(n % 2 === 0 ? '{{{' : { command: 7, task_id: [] })
      }),
    ],
  ])('%s, again and again', async (_name, upgrade) => {
    const stage = await openLine()
    const { server, clock, worker, logger } = stage
    server.upgrades = upgrade
    await worker.start()
    for (const [round, waitMs] of [1500, 2000, 3000, 5000, 9000, 17_000].entries()) {
      // No sooner: it does not spin.
      await server.when(() => server.dials.length > round)
      await clock.timer(waitMs)
      expect(server.dials).toHaveLength(round + 1)
      await expectWork(stage, `t${round}`)
      clock.advance(waitMs)
    }
    await server.when(() => server.dials.length === 7)
    const warnings = logger.lines.filter(({ level }) => level === 'warn' || level === 'error')
    expect(warnings.length).toBeLessThanOrEqual(1)
  })

  it('never answers the dial', async () => {
    const stage = await openLine()
    const { server, clock, worker } = stage
    server.upgrades = 'hold'
    await worker.start()
    await server.when(() => server.dials.length === 1)
    await expectWork(stage, 't1')
    await clock.pass(DIAL_MS)
    await clock.pass(1500)
    await server.when(() => server.dials.length === 2)
    await expectWork(stage, 't2')
  })

  it('sends halves of frames and falls silent', async () => {
    const stage = await openLine()
    const { server, clock, worker } = stage
    server.upgrades = (socket) => {
      socket.isPolite = false
      socket.write(Buffer.from([0x81, 100, 123]))
    }
    await worker.start()
    await server.socket(1)
    await expectWork(stage, 't1')
    // The half may have been read before the first look or after it.
    while (!clock.waits.includes(PONG_MS)) await clock.pass(SILENCE_MS)
    await clock.pass(PONG_MS)
    await clock.pass(1500)
    await server.socket(2)
    server.push(aTask({ task_id: 't2' }))
    // So much time has passed that the poll of before has ended, and waits for its next try.
    while (server.results.length < 2) {
      clock.advance(100)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('sends more commands than anybody could take', async () => {
    const stage = await openLine()
    const { server, worker, logger } = stage
    let begun = 0
    worker.onCommand('reload', () => {
      begun += 1
      return new Promise(() => undefined)
    })
    await worker.start()
    const socket = await server.socket(1)
    for (let n = 0; n < 300; n += 1) socket.send({ command: 'reload' })
    socket.ping()
    await server.when(() => socket.count('pong') === 1)
    await expectWork(stage, 't1')
    expect(begun).toBe(100)
    expect(logger.lines.filter(({ message }) => message.startsWith('too many'))).toHaveLength(200)
  })

  it('is half-open: progress that cannot leave takes the other way', async () => {
    const stage = await openLine()
    const { server, worker } = stage
    worker.task('report', async ({ progress }) => {
      for (let n = 0; n < 10; n += 1) {
        progress(n / 10, 'x'.repeat(1000))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    server.upgrades = (socket) => {
      socket.cut()
    }
    await worker.start()
    await server.socket(1)
    server.push(aTask({ type: 'report' }))
    await server.nth('result', 1)
    expect(server.of('event').at(-1)?.body['payload']).toMatchObject({ progress: 0.9 })
  })
})
