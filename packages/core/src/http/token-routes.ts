/** Short-lived tokens: a worker that has proved who it is gets one, and with it the means to get the next. */
import { InputError, PATHS, tokenRefreshSchema, type TokenResponse } from '@avtomatika/protocol'
import type { FastifyInstance } from 'fastify'
import type { AccessTokens } from './access-tokens.ts'
import { actingWorker } from './acting-worker.ts'
import { headerId, type WorkerAuth } from './worker-auth.ts'

export interface TokenRoutesOptions {
  readonly auth: WorkerAuth
  readonly accessTokens: AccessTokens
}

/** No refresh is larger, in bytes: what comes is read before it is known who sends it. */
const REFRESH_LIMIT = 4096

/** For workers that have proved who they are. */
export function issueTokenRoute(app: FastifyInstance, options: TokenRoutesOptions): void {
  const { auth, accessTokens } = options
  const config = { lenientBody: true, neverSigned: true, workerMessage: 'token' } as const
  app.post(PATHS.issueToken, { config }, async (request, reply): Promise<TokenResponse> => {
    const workerId = actingWorker(request, auth)
    const credential = auth.credentialOf(request)
    const response = await accessTokens.issue(workerId, credential)
    request.log.info({ workerId }, 'a worker was issued a token')
    reply.header('cache-control', 'no-store')
    return response
  })
}

/** For whoever has a refresh token, which is all the proof that is asked for. */
export function refreshTokenRoute(app: FastifyInstance, options: TokenRoutesOptions): void {
  const { auth, accessTokens } = options
  app.post(
    PATHS.refreshToken,
    { bodyLimit: REFRESH_LIMIT, config: { workerMessage: 'token' } },
    async (request, reply): Promise<TokenResponse> => {
      const parsed = tokenRefreshSchema.safeParse(request.body)
      if (!parsed.success) {
        const message = 'refresh_token: expected the text that came with the access token'
        throw new InputError('INVALID_REQUEST', { message })
      }
      const claimed = headerId(request)
      const token = parsed.data.refresh_token
      const response = await accessTokens.refresh(token, { claimed, stands: auth.grantStands })
      reply.header('cache-control', 'no-store')
      return response
    },
  )
}
