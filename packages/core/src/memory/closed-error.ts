import { UnavailableError } from '@avtomatika/protocol'

/** What every call on a closed store is answered with (S9). */
export function closedError(what: string): UnavailableError {
  const message = `The ${what} is closed. Make calls before close(), or open a new one.`
  return new UnavailableError('STORAGE_CLOSED', { message })
}
