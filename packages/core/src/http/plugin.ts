/** The whole HTTP surface as one Fastify plugin: a host mounts it under any prefix. */
import { HEADERS, PROTOCOL_VERSION } from '@avtomatika/protocol'
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify'
import type { BlueprintRegistry } from '../blueprint/registry.ts'
import { ApprovalLinks } from '../engine/jobs/approval-links.ts'
import type { Engine } from '../engine/engine.ts'
import { systemIds, systemSecret, type Ids } from '../ports/ids.ts'
import type { TokenStore } from '../ports/token-store.ts'
import { AccessTokens } from './access-tokens.ts'
import { approvalRoutes, type ApprovalAuth } from './approval-routes.ts'
import { parseJsonBodies } from './body-parser.ts'
import { clientAuth, type ClientConfig } from './client-auth.ts'
import { withClientLimit } from './client-rate-limit.ts'
import type { ClientRoutesOptions } from './client-routes-options.ts'
import { commonClientRoutes, createRoute, quarantineRoute } from './client-routes.ts'
import { deadLetterRoutes } from './dead-letter-routes.ts'
import { answerError, answerNotFound } from './error-handler.ts'
import { eventRoutes } from './event-routes.ts'
import { fleetRoutes } from './fleet-routes.ts'
import { graphRoutes } from './graph-routes.ts'
import { jobStreamRoutes } from './job-stream-routes.ts'
import type { SignatureRule } from './message-signature.ts'
import { pendingRoutes } from './pending-routes.ts'
import { quarantineRoutes } from './quarantine-routes.ts'
import type { RateLimitOptions } from './rate-limits.ts'
import { readyRoute } from './ready-route.ts'
import { reloadWorkersRoute, type ReloadWorkers } from './reload-workers-route.ts'
import { checkSignatures } from './signed-messages.ts'
import { issueTokenRoute, refreshTokenRoute } from './token-routes.ts'
import { acceptUpgrades } from './upgrades.ts'
import { workerAuth, type WorkerAuth, type WorkerAuthMode } from './worker-auth.ts'
import type { WorkerKeys } from './worker-keys.ts'
import { countRefusals } from './worker-refusals.ts'
import { UsefulRequests, withGuessLimit, withWorkerLimit } from './worker-rate-limit.ts'
import { workerRoutes } from './worker-routes.ts'
import { SOCKET_PATH, workerSocketRoutes } from './worker-socket.ts'

export interface HttpOptions {
  readonly engine: Engine
  readonly blueprints: BlueprintRegistry
  readonly clients: readonly ClientConfig[]
  /** The tokens that workers were given. */
  readonly workerKeys: WorkerKeys
  readonly workerAuthMode: WorkerAuthMode
  readonly workerSignatures: SignatureRule
  /** Keeps the tokens that are issued to workers. */
  readonly tokenStore: TokenStore
  readonly reloadWorkers: ReloadWorkers
  /** Where the client API is mounted. Default `/api`. */
  readonly apiPrefix: string
  readonly approvalAuth: ApprovalAuth
  /** Signs approval links. */
  readonly approvalSecret: string
  readonly pollTimeoutMs: number
  readonly now: () => number
  /** Default: nobody is limited. */
  readonly rates?: RateLimitOptions | null
  /** Default: by chance. */
  readonly ids?: Ids
  /** Makes texts that nobody can guess. Default: by chance. */
  readonly newSecret?: () => string
}

/** Largest body that is read, in bytes: 10 MiB. */
export const BODY_LIMIT = 10 * 1024 * 1024

/** @throws ConfigError `CONFIG_INVALID` for tokens that cannot be used. */
export function httpPlugin(options: HttpOptions): FastifyPluginCallback {
  const { approvalSecret, apiPrefix, ids = systemIds, rates = null } = options
  const links = new ApprovalLinks(approvalSecret)
  const auth = clientAuth(options.clients)
  const useful = new UsefulRequests()
  const worker = { ...options, ...credentials(options), ids, rates, useful }
  return (app, _opts, done) => {
    const client = { ...options, ids, rates, auth, links, mount: app.prefix }
    parseJsonBodies(app)
    app.setErrorHandler(answerError)
    answerUnknownRoutes(app)
    app.addHook('onSend', (_request, reply, _payload, next) => {
      reply.header(HEADERS.protocolVersion, PROTOCOL_VERSION)
      next()
    })
    app.get('/_public/status', () => ({ status: 'ok' }))
    readyRoute(app, options.engine)
    app.get('/_public/metrics', async (_request, reply) => {
      const { metrics } = options.engine
      return reply.type(metrics.contentType).send(await metrics.render())
    })
    quarantineRoute(app, client)
    approvalRoutes(app, client)
    acceptUpgrades(app, SOCKET_PATH)
    app.register((scope, _scopeOptions, ready) => {
      countRefusals(scope, options.engine.metrics)
      checkFirst(scope, worker.auth.checkCredentials)
      // A connection is opened once and stays; it is no poll that brings nothing.
      workerSocketRoutes(scope, worker)
      withWorkerLimit(scope, worker, (inner) => {
        checkSignatures(inner, worker.auth)
        workerRoutes(inner, worker)
        issueTokenRoute(inner, worker)
      })
      ready()
    })
    app.register((scope, _scopeOptions, ready) => {
      countRefusals(scope, options.engine.metrics)
      withGuessLimit(scope, rates, (inner) => {
        refreshTokenRoute(inner, worker)
      })
      ready()
    })
    clientRoutes(app, client, apiPrefix)
    done()
  }
}

function credentials(options: HttpOptions): {
  readonly auth: WorkerAuth
  readonly accessTokens: AccessTokens
} {
  const { tokenStore: store, now, newSecret = systemSecret } = options
  const { workerKeys: keys, workerAuthMode: mode, workerSignatures: signatures } = options
  const accessTokens = new AccessTokens({ store, now, newSecret })
  return { accessTokens, auth: workerAuth({ keys, accessTokens, mode, signatures, now }) }
}

/** Before the body is read: nobody without a token can make us take in 10 MiB. */
function checkFirst(scope: FastifyInstance, check: (request: FastifyRequest) => unknown): void {
  scope.addHook('onRequest', async (request) => {
    await check(request)
  })
}

/** A host that mounts us at its root may answer unknown routes itself; then it goes on doing so. */
function answerUnknownRoutes(app: FastifyInstance): void {
  try {
    app.setNotFoundHandler(answerNotFound)
  } catch (error) {
    if (app.prefix !== '') throw error
    app.log.debug({ err: error }, 'unknown routes stay with the host')
  }
}

/** The common routes under the bare prefix, `v1` and every version in use; creation under its own. */
function clientRoutes(app: FastifyInstance, options: ClientRoutesOptions, prefix: string): void {
  const blueprints = options.blueprints.all()
  const versions = new Set([null, 'v1', ...blueprints.map(({ version }) => version)])
  for (const version of versions) {
    const mount = version === null ? prefix : `${prefix}/${version}`
    app.register(
      (scope, _opts, done) => {
        checkFirst(scope, options.auth.callerOf)
        withClientLimit(scope, options, (inner) => {
          commonClientRoutes(inner, options)
          eventRoutes(inner, options)
          jobStreamRoutes(inner, options)
          quarantineRoutes(inner, options)
          deadLetterRoutes(inner, options)
          fleetRoutes(inner, options)
          pendingRoutes(inner, options)
          reloadWorkersRoute(inner, options)
          graphRoutes(inner, options)
          for (const blueprint of blueprints) {
            if (blueprint.version === version) createRoute(inner, blueprint, options)
          }
        })
        done()
      },
      { prefix: mount },
    )
  }
}
