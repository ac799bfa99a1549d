/**
 * The connections that workers hold open: what they are to stop working on reaches them at once, and what
 * they tell while they work needs no request. `/_worker/ws/{worker_id}`, and `/_worker/ws` for older
 * workers and those whose credentials say who they are.
 */
import {
  AuthError,
  cancelTaskCommand,
  createError,
  HEADERS,
  PROTOCOL_VERSION,
  toErrorBody,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { WebSocketServer, type WebSocket } from 'ws'
import { actingWorker } from './acting-worker.ts'
import { upgradeOf } from './upgrades.ts'
import type { WorkerAuth } from './worker-auth.ts'
import type { WorkerEventOptions } from './worker-events.ts'
import { WorkerFrames } from './worker-frames.ts'

export const SOCKET_PATH = '/_worker/ws'

/** A connection that does not answer for so long is dead. */
const PING_MS = 30_000
/** How long the other side may take to say goodbye. */
const FAREWELL_MS = 1_000
const MAX_FRAME_BYTES = 1024 * 1024

const GOING_AWAY = 1001
const POLICY_VIOLATION = 1008

export interface WorkerSocketOptions extends WorkerEventOptions {
  readonly auth: WorkerAuth
}

export function workerSocketRoutes(app: FastifyInstance, options: WorkerSocketOptions): void {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_FRAME_BYTES,
  })
  server.on('headers', (headers) => {
    headers.push(`${HEADERS.protocolVersion}: ${PROTOCOL_VERSION}`)
  })
  const open = new Set<WorkerSocket>()
  const connect = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const workerId = namedWorker(request, options.auth)
    const upgrade = upgradeOf(request.raw)
    if (upgrade === undefined) return refuse(reply)
    reply.hijack()
    reply.raw.detachSocket(upgrade.socket)
    server.handleUpgrade(request.raw, upgrade.socket, upgrade.head, (socket) => {
      const opened = new WorkerSocket(socket, request, options)
      open.add(opened)
      socket.once('close', () => open.delete(opened))
      if (workerId !== undefined) opened.bind(workerId)
    })
    return reply
  }
  for (const path of [SOCKET_PATH, `${SOCKET_PATH}/:workerId`]) {
    app.get(path, { exposeHeadRoute: false, config: { workerMessage: 'connect' } }, connect)
  }
  app.addHook('preClose', (done) => {
    for (const each of open) each.close(GOING_AWAY, 'Server shutdown')
    done()
  })
}

/** `undefined` for one that holds a token of many and does not say who it is. */
function namedWorker(request: FastifyRequest, auth: WorkerAuth): string | undefined {
  try {
    return actingWorker(request, auth)
  } catch (error) {
    const { params, headers } = request
    const isNamed = Object.hasOwn(params as object, 'workerId') || HEADERS.workerId in headers
    if (AuthError.is(error) && error.code === 'WORKER_MISMATCH' && !isNamed) return undefined
    throw error
  }
}

function refuse(reply: FastifyReply): FastifyReply {
  const message = `${SOCKET_PATH} is a WebSocket: ask for it with "Upgrade: websocket".`
  const body = toErrorBody(createError('INVALID_REQUEST', { message }))
  return reply.status(426).header('upgrade', 'websocket').send(body)
}

/** One connection, from its opening to its end. */
class WorkerSocket {
  readonly #socket: WebSocket
  readonly #options: WorkerSocketOptions
  readonly #request: FastifyRequest
  readonly #log: FastifyRequest['log']
  readonly #frames: WorkerFrames
  #cancelTimer: () => void
  #isAnswering = true

  constructor(socket: WebSocket, request: FastifyRequest, options: WorkerSocketOptions) {
    this.#socket = socket
    this.#options = options
    this.#request = request
    this.#log = request.log
    this.#frames = new WorkerFrames({ ...options, request, socket, onNamed: this.bind.bind(this) })
    socket.on('message', (data) => {
      this.#frames.take(data)
    })
    socket.on('pong', () => {
      this.#isAnswering = true
    })
    socket.on('error', (error) => {
      const isTooLarge = Reflect.get(error, 'code') === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
      if (isTooLarge) options.engine.metrics.countRefused('frame', 'BODY_TOO_LARGE')
      this.#log.debug({ err: error }, 'the connection of a worker broke')
    })
    socket.once('close', () => {
      this.#cancelTimer()
    })
    this.#cancelTimer = options.engine.lines.after(PING_MS, () => {
      this.#ping()
    })
  }

  /** The connection is this worker's from now on. */
  bind(workerId: string): void {
    this.#frames.bind(workerId)
    const release = this.#options.engine.lines.connections.add(workerId, {
      withdraw: ({ jobId, taskId }) => {
        this.#socket.send(JSON.stringify(cancelTaskCommand(jobId, taskId)))
      },
      replace: () => {
        this.close(POLICY_VIOLATION, 'New connection established')
      },
    })
    this.#socket.once('close', release)
    const { auth } = this.#options
    const leave = auth.onChange(() => {
      if (auth.stands(this.#request, workerId)) return
      this.close(POLICY_VIOLATION, 'Credentials are not valid any more')
    })
    this.#socket.once('close', leave)
    this.#log.debug({ workerId }, 'a worker is connected')
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
    this.#cancelTimer()
    this.#cancelTimer = this.#options.engine.lines.after(FAREWELL_MS, () => {
      this.#socket.terminate()
    })
  }

  #ping(): void {
    if (!this.#isAnswering) {
      this.#socket.terminate()
      return
    }
    this.#isAnswering = false
    this.#socket.ping()
    this.#cancelTimer = this.#options.engine.lines.after(PING_MS, () => {
      this.#ping()
    })
  }
}
