/**
 * What every back end must pass. Runs on any test runner:
 * `for (const c of storageContract) it(c.name, () => c.run(openStorage))`, where `openStorage`
 * answers with a store that is open, empty and shared with nobody.
 */
import type { Storage } from '../../ports/storage.ts'
import type { ContractCase } from '../contract-case.ts'
import { auditCases } from './audit-cases.ts'
import { closingCases } from './closing-cases.ts'
import { deadlineCases } from './deadline-cases.ts'
import { handOverCases } from './hand-over-cases.ts'
import { hintCases } from './hint-cases.ts'
import { jobCases } from './job-cases.ts'
import { limitCases } from './limit-cases.ts'
import { lockCases } from './lock-cases.ts'
import { messageCases } from './message-cases.ts'
import { outboxCases } from './outbox-cases.ts'
import { quarantineCases } from './quarantine-cases.ts'
import { onOfferCases } from './on-offer-cases.ts'
import { reputationCases } from './reputation-cases.ts'
import { stepCases } from './step-cases.ts'
import { taskAvoidCases } from './task-avoid-cases.ts'
import { taskClaimCases } from './task-claim-cases.ts'
import { taskClassCases } from './task-class-cases.ts'
import { taskLeaseCases } from './task-lease-cases.ts'
import { taskReservationCases } from './task-reservation-cases.ts'
import { tokenCases } from './token-cases.ts'
import { typeLimitCases } from './type-limit-cases.ts'
import { unreceivedCases } from './unreceived-cases.ts'
import { workerCases } from './worker-cases.ts'
import { workerChangeCases } from './worker-change-cases.ts'

/** The promises of `Storage`, one case each. */
export const storageContract: readonly ContractCase<Storage>[] = [
  ...jobCases,
  ...quarantineCases,
  ...stepCases,
  ...taskClaimCases,
  ...taskAvoidCases,
  ...taskClassCases,
  ...taskLeaseCases,
  ...taskReservationCases,
  ...handOverCases,
  ...unreceivedCases,
  ...onOfferCases,
  ...typeLimitCases,
  ...deadlineCases,
  ...workerCases,
  ...workerChangeCases,
  ...reputationCases,
  ...outboxCases,
  ...messageCases,
  ...lockCases,
  ...limitCases,
  ...tokenCases,
  ...auditCases,
  ...hintCases,
  ...closingCases,
]
