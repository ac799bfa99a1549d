// Token rules.  A1 The worker's own token is never replaced, only stood in for by the one that the
// orchestrator issued.  A2 A token is renewed before it expires, and once after a 401.  A3 When no new
// one is to be had, the worker's own token is good again, so that a lost renewal cannot lock it out.
// A4 A worker with a certificate exchanges it for a token as soon as it is registered, as older workers do.
// A5 What is signed is signed anew for each try: a signature is good for a minute.
import { PATHS, tokenResponseSchema } from '@avtomatika/protocol'

import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { MessageSigner } from './message-signing.ts'
import {
  REQUEST_TIMEOUT_MS,
  type Reply,
  type Transport,
  type TransportRequest,
} from './transport.ts'

/** What {@link AuthorizedTransport} needs. */
export interface AuthorizedTransportOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: WorkerLogger
  /** Whether the orchestrator may be asked for a token: it knows the worker by its certificate. */
  readonly canAskForToken: boolean
  /** Left out, nothing is signed. */
  readonly signer?: MessageSigner | undefined
}

interface IssuedToken {
  readonly token: string
  readonly refreshToken: string | undefined
  /** Milliseconds since 1970. */
  readonly renewAt: number
}

/** Renewed when this part of its life is over, so that no request meets an expired token. */
const RENEW_AFTER = 0.8

/** Adds the token of the day to what is asked of one orchestrator. */
export class AuthorizedTransport implements Transport {
  readonly #options: AuthorizedTransportOptions
  #issued: IssuedToken | undefined
  #renewal: Promise<void> | undefined

  constructor(options: AuthorizedTransportOptions) {
    this.#options = options
  }

  /** The token in use; `undefined` = the worker's own. */
  get token(): string | undefined {
    return this.#issued?.token
  }

  /** What messages are signed with; `undefined` = they are not. */
  get signer(): MessageSigner | undefined {
    return this.#options.signer
  }

  /** A message as it is to be sent now, by whatever way. */
  sign(text: string): string {
    const { signer, clock } = this.#options
    return signer?.sign(text, clock.now()) ?? text
  }

  async request(request: TransportRequest): Promise<Reply> {
    const { clock } = this.#options
    if (this.#issued !== undefined && clock.now() >= this.#issued.renewAt) {
      await this.#renew(request.signal)
    }
    const used = this.token
    const reply = await this.#send(request)
    if (reply.ok) await this.#adopt(request, reply.body)
    if (reply.status !== 401 || !this.#canRenew()) return reply
    // Somebody else may have renewed it while this request was under way.
    if (this.token === used) await this.#renew(request.signal)
    if (this.token === used || request.signal.aborted) return reply
    return this.#send(request)
  }

  close(): Promise<void> {
    return this.#options.transport.close()
  }

  /** With the token of the day, signed if it is to be; once more if the clock was to blame. */
  async #send(request: TransportRequest): Promise<Reply> {
    const { transport, clock, signer, logger } = this.#options
    const { body, signal } = request
    const send = (): Promise<Reply> =>
      transport.request({
        ...request,
        token: this.token,
        ...(body !== undefined && { body: this.sign(body) }),
      })
    const reply = await send()
    const { serverTime } = reply
    if (signer === undefined || serverTime === undefined) return reply
    const isNews = signer.hear(serverTime, clock.now())
    if (!isNews || body === undefined || reply.status !== 403 || signal.aborted) return reply
    const { shiftMs } = signer.seal
    logger.warn(
      { shiftMs },
      'the clock of this machine is wrong; messages tell the time of the orchestrator',
    )
    return send()
  }

  #canRenew(): boolean {
    return this.#issued !== undefined || this.#options.canAskForToken
  }

  /** Many requests may find the token expired at once; one of them renews it. */
  #renew(signal: AbortSignal): Promise<void> {
    this.#renewal ??= this.#askForToken(signal).finally(() => {
      this.#renewal = undefined
    })
    return this.#renewal
  }

  async #askForToken(signal: AbortSignal): Promise<void> {
    const { transport, canAskForToken, logger } = this.#options
    const refreshToken = this.#issued?.refreshToken
    const common = { method: 'POST', timeoutMs: REQUEST_TIMEOUT_MS, signal } as const
    let reply: Reply | undefined
    if (refreshToken !== undefined) {
      const body = JSON.stringify({ refresh_token: refreshToken })
      const path = PATHS.refreshToken
      reply = await transport.request({ ...common, path, body, token: this.token })
    }
    if (reply?.ok !== true && canAskForToken && !signal.aborted) {
      reply = await transport.request({ ...common, path: PATHS.issueToken })
    }
    if (signal.aborted) return
    if (reply?.ok === true && this.#take(reply.body)) return
    if (this.#issued === undefined) return
    this.#issued = undefined
    const err = reply?.ok === false ? reply.error : undefined
    logger.warn({ err }, 'the token was not renewed; the own token of the worker is used again')
  }

  /** Newer orchestrators may issue a token in the answer to a registration. */
  async #adopt({ path, signal }: TransportRequest, body: unknown): Promise<void> {
    if (path !== PATHS.registerWorker || this.#take(body)) return
    if (this.#options.canAskForToken && this.#issued === undefined) await this.#renew(signal)
  }

  #take(body: unknown): boolean {
    const parsed = tokenResponseSchema.safeParse(body)
    if (!parsed.success) return false
    const { access_token: token, expires_in: seconds, refresh_token: refreshToken } = parsed.data
    this.#issued = {
      token,
      refreshToken: refreshToken ?? this.#issued?.refreshToken,
      renewAt: this.#options.clock.now() + seconds * 1000 * RENEW_AFTER,
    }
    return true
  }
}
