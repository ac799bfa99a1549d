/** A job's event stream: server-sent events, for as long as the job lives. */
import { Readable } from 'node:stream'
import type {
  JobChunkEvent,
  JobGapEvent,
  JobProgressEvent,
  JobStatusEvent,
  JobStreamEnd,
  JobStreamEventName,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { KeptChunk } from '../engine/lines/chunk-buffer.ts'
import type { JobReader, JobStreamEvent } from '../engine/lines/job-reader.ts'
import type { Job } from '../job/job.ts'
import { scopeOf } from './client-auth.ts'
import type { ClientRoutesOptions, JobParams } from './client-routes-options.ts'
import { iso } from './job-view.ts'

/** Proxies cut connections on which nothing moves; most wait for a minute. */
const KEEP_ALIVE_MS = 15_000
const KEEP_ALIVE = ': nothing new\n\n'
/** What a browser waits before it comes back, in ms. */
const RETRY = 'retry: 1000\n\n'

export function jobStreamRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  app.get<JobParams>('/jobs/:jobId/events', { exposeHeadRoute: false }, (request, reply) =>
    stream(request, reply, options),
  )
}

async function stream(
  request: FastifyRequest<JobParams>,
  reply: FastifyReply,
  { engine, auth }: ClientRoutesOptions,
): Promise<FastifyReply> {
  const { jobId } = request.params
  const job = await engine.reads.read(jobId, scopeOf(auth.callerOf(request)))
  const lastEventId = request.headers['last-event-id']
  const reader = engine.lines.streams.open(
    job,
    typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
  )
  reply.raw.once('close', () => {
    reader.close()
  })
  reader.cut.addEventListener('abort', () => reply.raw.destroy(), { once: true })
  return reply
    .type('text/event-stream')
    .header('cache-control', 'no-store')
    .header('x-accel-buffering', 'no')
    .header('connection', 'close')
    .send(Readable.from(frames(jobId, reader)))
}

/** Reads on as the other side does: what it does not take stays with the reader, which is bounded. */
async function* frames(jobId: string, reader: JobReader): AsyncGenerator<string> {
  yield RETRY
  while (!reader.isDone) {
    const event = await reader.next(KEEP_ALIVE_MS)
    if (event !== undefined) yield frame(jobId, event)
    else if (!reader.isDone) yield KEEP_ALIVE
  }
}

function frame(jobId: string, event: JobStreamEvent): string {
  switch (event.kind) {
    case 'status':
      return text('status', statusOf(event.job))
    case 'progress':
      return text('progress', progressOf(event.job))
    case 'chunk':
      return `id: ${event.chunk.id}\n${text('chunk', chunkOf(jobId, event.chunk))}`
    case 'gap':
      return text('gap', { job_id: jobId, last_event_id: event.lastEventId } satisfies JobGapEvent)
    case 'end':
      return text('end', { job_id: jobId, reason: event.reason } satisfies JobStreamEnd)
  }
}

/** JSON has no line breaks of its own, so that it is one line of data. */
function text(name: JobStreamEventName, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

function statusOf({ id, status, state, updatedAt, error }: Job): JobStatusEvent {
  return {
    job_id: id,
    status,
    state,
    updated_at: iso(updatedAt),
    ...(error !== null && { error: { code: error.code, message: error.message } }),
  }
}

function progressOf({ id, progress, progressMessage }: Job): JobProgressEvent {
  return { job_id: id, progress: progress ?? 0, message: progressMessage }
}

function chunkOf(jobId: string, { taskId, workerId, seq, chunk }: KeptChunk): JobChunkEvent {
  return { job_id: jobId, task_id: taskId, worker_id: workerId, seq, chunk }
}
