import { z } from 'zod'

/** Longest identifier, in characters. */
export const MAX_IDENTIFIER_LENGTH = 128

const IDENTIFIER = /^[a-zA-Z0-9_-]+$/

/** Ids of workers and jobs, names of blueprints: letters, digits, `_` and `-`, 1 to 128 characters. */
export const identifierSchema = z
  .string()
  .min(1, 'must not be empty')
  .max(MAX_IDENTIFIER_LENGTH, `must have at most ${MAX_IDENTIFIER_LENGTH} characters`)
  .regex(IDENTIFIER, 'may contain only letters, digits, "_" and "-"')

/** Whether the text may be used as an id or a name; see {@link identifierSchema}. */
export function isIdentifier(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length <= MAX_IDENTIFIER_LENGTH && IDENTIFIER.test(value)
  )
}
