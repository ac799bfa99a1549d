/** Steps that are ready or being run (S3 to S6). */
import type { ClaimedStep, StepStore } from '../ports/storage.ts'
import type { Synchronous } from './synchronous.ts'
import { LeasedQueue } from './leased-queue.ts'

interface Step {
  readonly stepId: string
  readonly jobId: string
  readonly rank: number
}

export class MemorySteps implements Synchronous<StepStore> {
  readonly #steps = new LeasedQueue<Step>()

  put(stepId: string, jobId: string): void {
    // All of one rank: the order is that of the commits.
    this.#steps.put(stepId, { stepId, jobId, rank: 0 })
  }

  dropStep(stepId: string): void {
    this.#steps.remove(stepId)
  }

  claimSteps(claim: Parameters<StepStore['claimSteps']>[0]): readonly ClaimedStep[] {
    const leaseExpiresAt = claim.now + claim.leaseMs
    return this.#steps.claim(claim).map(({ stepId, jobId }) => ({ stepId, jobId, leaseExpiresAt }))
  }

  renewStep(lease: Parameters<StepStore['renewStep']>[0]): boolean {
    return this.#steps.renew(lease.stepId, lease.holder, lease)
  }

  releaseStep({ stepId, holder }: Parameters<StepStore['releaseStep']>[0]): boolean {
    return this.#steps.release(stepId, holder)
  }
}
