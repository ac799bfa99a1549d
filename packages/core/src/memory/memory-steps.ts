/** Steps that are ready or being run (S3 to S6). */
import type { ClaimedStep, CommitEntry, StepStore } from '../ports/storage.ts'
import type { Synchronous } from './synchronous.ts'
import { LeasedQueue } from './leased-queue.ts'

interface Step {
  readonly stepId: string
  readonly jobId: string
  readonly rank: number
}

export class MemorySteps implements Synchronous<StepStore> {
  readonly #steps = new LeasedQueue<Step>()

  /** Makes a step ready, or gives it to its holder at once. */
  put(stepId: string, jobId: string, lease?: CommitEntry['stepLease']): void {
    // All of one rank: the order is that of the commits.
    const step = { stepId, jobId, rank: 0 }
    if (lease === undefined) this.#steps.put(stepId, step)
    else this.#steps.putLeased(stepId, step, lease)
  }

  countSteps(): { readonly ready: number; readonly leased: number } {
    const { size, leased } = this.#steps
    return { ready: size - leased, leased }
  }

  has(stepId: string): boolean {
    return this.#steps.find(stepId) !== undefined
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
