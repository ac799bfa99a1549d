import { createServer, type Server, type ServerResponse } from 'node:http'

import { ConfigError } from '@avtomatika/protocol'

import type { HealthAddress } from './connection-settings.ts'
import { reportHealth, reportMetrics, type WorkerSnapshot } from './health-report.ts'
import type { WorkerLogger } from './logger.ts'

/** What {@link openHealthServer} needs. */
export interface HealthServerOptions {
  readonly address: HealthAddress
  /** Whether `/metrics` answers. */
  readonly metrics: boolean
  readonly snapshot: () => WorkerSnapshot
  readonly logger: WorkerLogger
}

/** Serves `/health`, `/ready` and `/metrics`. */
export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

/**
 * Opens the server on all interfaces, where container platforms ask.
 *
 * @returns `undefined` when the port is taken that nobody asked for.
 * @throws {@link ConfigError} `CONFIG_INVALID` when a port that was asked for cannot be used.
 */
export async function openHealthServer(
  options: HealthServerOptions,
): Promise<HealthServer | undefined> {
  const { address, logger } = options
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://worker')
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    if (isRead) answer(pathname, response, options)
    else response.writeHead(405, { allow: 'GET, HEAD' }).end()
  })
  try {
    await listen(server, address.port)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    if (address.isExplicit) {
      const message = `The health endpoint cannot listen on port ${address.port}: ${why}. Give another WORKER_PORT, or off.`
      throw new ConfigError('CONFIG_INVALID', { message, cause })
    }
    logger.warn({ err: cause }, `no health endpoint: port ${address.port} cannot be used`)
    return undefined
  }
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  logger.info({ port }, 'health endpoint open')
  return { port, close: () => close(server) }
}

function answer(path: string, response: ServerResponse, options: HealthServerOptions): void {
  if (path === '/health' || path === '/ready') {
    const { isHealthy, isReady, body } = reportHealth(options.snapshot())
    const isGreen = path === '/health' ? isHealthy : isReady
    send(response, isGreen ? 200 : 503, 'application/json', JSON.stringify(body))
  } else if (path === '/metrics' && options.metrics) {
    const type = 'text/plain; version=0.0.4; charset=utf-8'
    send(response, 200, type, reportMetrics(options.snapshot()))
  } else {
    const text =
      path === '/metrics' ? 'Metrics are disabled: set WORKER_ENABLE_METRICS=true' : 'Not found'
    send(response, 404, 'text/plain', text)
  }
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve()
    })
    server.closeAllConnections()
  })
}
