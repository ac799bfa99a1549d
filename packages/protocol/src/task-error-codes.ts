/** What the engine does with a failed task: offer it again, set the job aside for a person, or fail the job. */
export type TaskErrorSemantics = 'retry' | 'quarantine' | 'fail'

/** Codes a worker puts into `error.code` of a result. The strings are fixed by older generations. */
export const TASK_ERROR_CODES = {
  /** May succeed when tried again; also assumed when no code is given. */
  transient: 'TRANSIENT_ERROR',
  /** Will not succeed by trying again. */
  permanent: 'PERMANENT_ERROR',
  /** The worker refuses the parameters. */
  invalidInput: 'INVALID_INPUT_ERROR',
  /** Out of memory, disk or the like. */
  resourceExhausted: 'RESOURCE_EXHAUSTED_ERROR',
  timeout: 'TIMEOUT_ERROR',
  internal: 'INTERNAL_ERROR',
  /** A rate or quota limit of the worker or its provider. */
  limitExceeded: 'LIMIT_EXCEEDED_ERROR',
  dependencyMissing: 'DEPENDENCY_MISSING_ERROR',
  security: 'SECURITY_ERROR',
  dependency: 'DEPENDENCY_ERROR',
  /** The output or an event breaks the skill's declared schema. */
  contractViolation: 'CONTRACT_VIOLATION_ERROR',
  /** A file's size or checksum is not what was announced. */
  integrityMismatch: 'INTEGRITY_MISMATCH_ERROR',
  /** Reserved by older generations; never seen on the wire. */
  lateResult: 'LATE_RESULT',
} as const

/** A code of {@link TASK_ERROR_CODES}. */
export type TaskErrorCode = (typeof TASK_ERROR_CODES)[keyof typeof TASK_ERROR_CODES]

const SEMANTICS: ReadonlyMap<string, TaskErrorSemantics> = new Map([
  [TASK_ERROR_CODES.permanent, 'quarantine'],
  [TASK_ERROR_CODES.security, 'quarantine'],
  [TASK_ERROR_CODES.dependency, 'quarantine'],
  [TASK_ERROR_CODES.contractViolation, 'quarantine'],
  [TASK_ERROR_CODES.invalidInput, 'fail'],
  [TASK_ERROR_CODES.integrityMismatch, 'fail'],
])

/** What follows from a task's error code. No code and unknown codes mean `retry`: peers may invent codes. */
export function taskErrorSemantics(code: string | null | undefined): TaskErrorSemantics {
  return SEMANTICS.get(code ?? '') ?? 'retry'
}

/** Why a result changed nothing. Final for the worker: sending the result again will not help. */
export const IGNORED_REASONS = {
  deadlineExceeded: 'deadline_exceeded',
  jobCancelled: 'job_cancelled',
  jobNotFound: 'job_not_found',
  workerMismatch: 'worker_mismatch',
  staleTask: 'stale_task',
  jobAlreadyTerminated: 'job_already_terminated',
} as const

/** A reason of {@link IGNORED_REASONS}. */
export type IgnoredReason = (typeof IGNORED_REASONS)[keyof typeof IGNORED_REASONS]
