/**
 * Where people decide.
 *
 * A1  Who decides is the job's owner, an admin, or the holder of a link that was signed for this very
 *     decision of this very request (D-53). `open` asks nobody, as older clients expect.
 * A2  A request is decided once; its links are void then (D-33).
 * A3  To look decides nothing: mail programs open links by themselves.
 */
import {
  AuthError,
  errorStatus,
  parseApprovalBody,
  toErrorBody,
  type ApprovalReceived,
} from '@avtomatika/protocol'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ApprovalGrant } from '../engine/jobs/approval-links.ts'
import { toJsonObject } from '../json/to-json.ts'
import { approvalPage, noticePage, type Page } from './approval-page.ts'
import { scopeOf } from './client-auth.ts'
import type { ClientRoutesOptions, JobParams } from './client-routes-options.ts'

/** Who may decide an approval. */
export type ApprovalAuth = 'owner' | 'open'

interface ApprovalRoutesOptions extends ClientRoutesOptions {
  readonly approvalAuth: ApprovalAuth
}

interface ApprovalRoute extends JobParams {
  readonly Querystring: { readonly token?: string | readonly string[] }
}

/**
 * Largest body, in bytes: 2 MiB, twice the default of a decision's data. It is read before it is
 * known who sends it.
 */
const BODY_LIMIT = 2 * 1024 * 1024

export function approvalRoutes(app: FastifyInstance, options: ApprovalRoutesOptions): void {
  const url = '/_public/webhooks/approval/:jobId'
  app.post<ApprovalRoute>(url, { bodyLimit: BODY_LIMIT }, (request) => decide(request, options))
  app.get<ApprovalRoute>(url, { errorHandler: showProblem(options) }, (request, reply) =>
    showPage(request, reply, options),
  )
}

async function decide(
  request: FastifyRequest<ApprovalRoute>,
  options: ApprovalRoutesOptions,
): Promise<ApprovalReceived> {
  const { jobId } = request.params
  const said = parseApprovalBody(request.body)
  const { decision, actor, comment, data, token, approvalId } = said
  const sent = token ?? tokenIn(request)
  const right =
    sent === undefined
      ? await rightOfCaller(request, options)
      : rightOfLink(openLink(sent, jobId, options), decision)
  await options.engine.desk.decide({
    jobId,
    approvalId: right.approvalId ?? approvalId,
    approval: {
      decision,
      actor: actor ?? right.actor,
      comment: comment ?? null,
      data: data === undefined ? null : toJsonObject(data, 'data'),
    },
  })
  return { status: 'approval_received', job_id: jobId }
}

/** What entitles to a decision. */
interface Right {
  /** Left out: the present request, whichever it is. */
  readonly approvalId?: string
  /** Who decides, if the decision does not say. */
  readonly actor: string | null
}

function rightOfLink({ approvalId, decision }: ApprovalGrant, decided: string): Right {
  if (decision === decided) return { approvalId, actor: null }
  const message = `This link is for the decision '${decision}' only.`
  throw new AuthError('FORBIDDEN', { message })
}

/** Another client's job is as good as none: nobody learns which ids there are (D-64). */
async function rightOfCaller(
  request: FastifyRequest<ApprovalRoute>,
  { engine, auth, approvalAuth }: ApprovalRoutesOptions,
): Promise<Right> {
  if (approvalAuth === 'open') {
    return { actor: auth.findCaller(request)?.owner.clientId ?? null }
  }
  const caller = auth.callerOf(request)
  await engine.reads.read(request.params.jobId, scopeOf(caller))
  return { actor: caller.owner.clientId }
}

async function showPage(
  request: FastifyRequest<ApprovalRoute>,
  reply: FastifyReply,
  options: ApprovalRoutesOptions,
): Promise<FastifyReply> {
  const { jobId } = request.params
  const { approvalId, decision } = openLink(tokenIn(request) ?? '', jobId, options)
  const { wait } = await options.engine.reads.read(jobId)
  if (wait?.for === 'approval' && wait.approvalId === approvalId) {
    const page = approvalPage({ message: wait.message, decision }, options.ids.jobId())
    return sendPage(reply.status(200), page)
  }
  const text = 'This request was decided already, or is not open any more. There is nothing to do.'
  return sendPage(reply.status(409), noticePage('Already decided', text, options.ids.jobId()))
}

/** People read pages, not JSON. */
function showProblem({ ids }: ApprovalRoutesOptions) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    const status = errorStatus(error)
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    const title = status === 401 ? 'This link is not valid' : 'This did not work'
    const page = noticePage(title, toErrorBody(error).error, ids.jobId())
    void sendPage(reply.status(status), page)
  }
}

/** The address holds a secret: it must not be kept, framed, or told to other sites. */
function sendPage(reply: FastifyReply, { html, contentPolicy }: Page): FastifyReply {
  return reply
    .headers({
      'content-security-policy': contentPolicy,
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
    })
    .send(html)
}

/** @throws AuthError `INVALID_TOKEN` */
function openLink(
  token: string,
  jobId: string,
  { links, now }: ApprovalRoutesOptions,
): ApprovalGrant {
  return links.open(token, jobId, now())
}

/** Given twice, it is none of the two: that is no link of ours. */
function tokenIn({ query }: FastifyRequest<ApprovalRoute>): string | undefined {
  const { token } = query
  return token === undefined || typeof token === 'string' ? token : ''
}
