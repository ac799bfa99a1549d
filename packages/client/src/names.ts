import { InputError, isIdentifier } from '@avtomatika/protocol'

/** @throws {@link InputError} when it cannot be the id of a job. */
export function checkJobId(jobId: string): string {
  return checkIdentifier('jobId', 'the id of a job', jobId)
}

/** @throws {@link InputError} when it cannot be the name of a blueprint. */
export function checkBlueprintName(name: string): string {
  return checkIdentifier('name', 'the name of a blueprint', name)
}

/** @throws {@link InputError} when it cannot be the id of a worker. */
export function checkWorkerId(workerId: string): string {
  return checkIdentifier('workerId', 'the id of a worker', workerId)
}

function checkIdentifier(field: string, what: string, value: string): string {
  if (isIdentifier(value)) return value
  throw new InputError('INVALID_REQUEST', {
    message: `${field} must be ${what}: 1 to 128 letters, digits, "_" or "-".`,
    details: { field },
  })
}
