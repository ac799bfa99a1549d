import { z } from 'zod'

import { InputError } from '../error.ts'
import { identifierSchema } from '../identifiers.ts'
import { jsonObjectSchema } from '../json.ts'
import { parseRequest, requireJsonObject } from '../parse-request.ts'

/** The body that decides a job which waits for a person. */
export const approvalBodySchema = z.looseObject({
  /** One of the decisions that the job asks for. */
  decision: z.string().min(1),
  /** Who decided. */
  actor: z.string().max(255).nullish(),
  /** Why. */
  comment: z.string().max(4000).nullish(),
  /** Handed to the next state. */
  data: jsonObjectSchema.nullish(),
  /** The request that is meant, from the job's `approval`. Default: the one of the moment. */
  approval_id: z.string().min(1).max(255).nullish(),
  /** Of a signed link; stands in for the client's token, once. */
  token: z.string().nullish(),
  security: jsonObjectSchema.nullish(),
  metadata: jsonObjectSchema.nullish(),
})

/** The body that decides a job which waits for a person. */
export type ApprovalBody = z.infer<typeof approvalBodySchema>

/** What a person decided. */
export interface ApprovalRequest {
  readonly decision: string
  readonly actor?: string
  readonly comment?: string
  readonly data?: Record<string, unknown>
  /** Absent: the request of the moment. */
  readonly approvalId?: string
  /** A secret: not for logs, history or errors. */
  readonly token?: string
  readonly security?: Record<string, unknown>
  readonly metadata?: Record<string, unknown>
}

/** The answer to a decision. */
export const approvalReceivedSchema = z.looseObject({
  status: z.literal('approval_received'),
  job_id: identifierSchema,
})

/** The answer to a decision. */
export type ApprovalReceived = z.infer<typeof approvalReceivedSchema>

/**
 * Reads the body of a decision.
 *
 * @throws {@link InputError} `INVALID_JSON` when the body is not an object, `DECISION_MISSING` when
 * it has no decision, `INVALID_REQUEST` when a field has the wrong type or is too long.
 */
export function parseApprovalBody(body: unknown): ApprovalRequest {
  const sent = requireJsonObject(body)
  // Null and absent mean the same; the text is the one that older callers know.
  if ((sent['decision'] ?? '') === '') {
    throw new InputError('DECISION_MISSING', { message: 'decision is required in body' })
  }
  const raw = parseRequest(approvalBodySchema, sent, 'approval')
  return {
    decision: raw.decision,
    ...(raw.actor != null && { actor: raw.actor }),
    ...(raw.comment != null && { comment: raw.comment }),
    ...(raw.data != null && { data: raw.data }),
    ...(raw.approval_id != null && { approvalId: raw.approval_id }),
    ...(raw.token != null && { token: raw.token }),
    ...(raw.security != null && { security: raw.security }),
    ...(raw.metadata != null && { metadata: raw.metadata }),
  }
}
