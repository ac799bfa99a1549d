/** What a test is told when a job does not do what it should. */
import { AssertionError } from 'node:assert'

/** The error that every test runner takes for a failed expectation. */
export function failure(message: string): AssertionError {
  const error = new AssertionError({ message })
  // How Node.js would have compared two values; test runners show it as if it were the comparison.
  Reflect.deleteProperty(error, 'diff')
  return error
}
