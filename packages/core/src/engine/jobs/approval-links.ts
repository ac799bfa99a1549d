/** Links that let a person decide without an account: signed, for one decision of one request. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { AuthError } from '@avtomatika/protocol'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { ApprovalWait } from '../../job/wait.ts'

/** How long a link lives whose request has no deadline, in ms: 30 days. */
const LIFETIME_MS = 30 * 86_400_000

/** What a link stands for. */
export interface ApprovalGrant {
  readonly jobId: string
  readonly approvalId: string
  readonly decision: string
  readonly expiresAt: EpochMs
}

export class ApprovalLinks {
  readonly #secret: string

  /** @param secret - signs the links; orchestrators that share it honour each other's. */
  constructor(secret: string) {
    this.#secret = secret
  }

  /**
   * A token for each decision. A request is decided once, and a later one has another id: so each
   * token works once at most.
   */
  tokensOf(jobId: string, wait: ApprovalWait, now: EpochMs): Readonly<Record<string, string>> {
    const { approvalId, transitions, deadlineAt } = wait
    const expiresAt = deadlineAt ?? now + LIFETIME_MS
    const tokens = Object.keys(transitions).map((decision) => {
      const token = this.#sign({ jobId, approvalId, decision, expiresAt })
      return [decision, token] as const
    })
    return Object.fromEntries(tokens)
  }

  /** @throws AuthError `INVALID_TOKEN` for one that is forged, of another job, or too old. */
  open(token: string, jobId: string, now: EpochMs): ApprovalGrant {
    const [said = '', signature = ''] = token.split('.')
    const expected = this.#signatureOf(said)
    const given = Buffer.from(signature)
    const isOurs = given.length === expected.length && timingSafeEqual(given, Buffer.from(expected))
    const grant = isOurs ? grantOf(said) : undefined
    if (grant?.jobId === jobId && grant.expiresAt > now) return grant
    const message = 'This approval link is not valid (any more).'
    throw new AuthError('INVALID_TOKEN', { message })
  }

  #sign({ jobId, approvalId, decision, expiresAt }: ApprovalGrant): string {
    const said = Buffer.from(JSON.stringify([jobId, approvalId, decision, expiresAt]))
    const text = said.toString('base64url')
    return `${text}.${this.#signatureOf(text)}`
  }

  #signatureOf(said: string): string {
    return createHmac('sha256', this.#secret).update(`approval:${said}`).digest('base64url')
  }
}

/** What we signed ourselves; so it is as we wrote it. */
function grantOf(said: string): ApprovalGrant {
  const parts = JSON.parse(Buffer.from(said, 'base64url').toString()) as [
    string,
    string,
    string,
    number,
  ]
  const [jobId, approvalId, decision, expiresAt] = parts
  return { jobId, approvalId, decision, expiresAt }
}
