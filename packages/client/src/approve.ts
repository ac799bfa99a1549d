import { approvalBodySchema, approvalReceivedSchema, parseReply } from '@avtomatika/protocol'

import { toJsonBody } from './json-body.ts'

/** What a person decided. */
export interface ApproveOptions {
  /** One of `job.approval.decisions`. */
  readonly decision: string
  /** Who decided; up to 255 characters. */
  readonly actor?: string | undefined
  /** Why; up to 4000 characters. */
  readonly comment?: string | undefined
  /** Handed to the next state: a plain object that JSON can say. */
  readonly data?: object | undefined
  /** `job.approval.id`: a decision that comes late does not decide the job's next request. */
  readonly approvalId?: string | undefined
  /** Ends the call, with the signal's reason; the decision may have been taken. */
  readonly signal?: AbortSignal | undefined
}

/** The JSON of the request; throws as {@link toJsonBody} does. */
export function approveBody(options: ApproveOptions): string {
  const { decision, actor, comment, data, approvalId } = options
  const body = { decision, actor, comment, data, approval_id: approvalId }
  return toJsonBody(approvalBodySchema, body, 'approval')
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to a decision. */
export function checkApproved(body: unknown): void {
  parseReply(approvalReceivedSchema, body, 'received approval')
}
