/** Several results in one message: each is answered as if it had come alone, in their order. */
import {
  normaliseResult,
  parseResultBatch,
  type BatchedAck,
  type Result,
  type ResultAck,
  type ResultBatchReply,
} from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'
import { actingWorker } from './acting-worker.ts'
import { refusedItem } from './refused-item.ts'
import { mismatch, type WorkerAuth } from './worker-auth.ts'
import type { UsefulRequests } from './worker-rate-limit.ts'

export interface ResultBatchOptions {
  readonly auth: WorkerAuth
  readonly useful: UsefulRequests
  readonly takeResult: (workerId: string, result: Result) => Promise<ResultAck>
}

/** Results of one job are taken in the order of the batch; those of several jobs at once. */
export async function takeResultBatch(
  request: FastifyRequest,
  { auth, useful, takeResult }: ResultBatchOptions,
): Promise<ResultBatchReply> {
  const bodies = parseResultBatch(request.body)
  const workerId = actingWorker(request, auth)
  const results = await Promise.all(
    bodies.map(async (body): Promise<BatchedAck> => {
      try {
        const result = normaliseResult(body)
        const { workerId: named = workerId } = result
        if (named !== workerId) throw mismatch(workerId, named)
        return await takeResult(workerId, result)
      } catch (error) {
        return refusedItem(error, request.log)
      }
    }),
  )
  if (results.some(({ status }) => status === 'accepted')) useful.add(request)
  return { results }
}
