import type { z } from 'zod'

import { ConnectionError, InputError } from './error.ts'
import { isDeeperThan, isJsonObject, MAX_JSON_DEPTH } from './json.ts'

/** One thing that is wrong with a message. */
export interface RequestIssue {
  /** Where, such as `initial_data.items[0].id`; empty for the message as a whole. */
  readonly path: string
  readonly message: string
}

/** The issues of a failed parse, with readable paths. */
export function describeIssues(error: z.ZodError): RequestIssue[] {
  return error.issues.map((issue) => ({ path: formatPath(issue.path), message: issue.message }))
}

/**
 * Parses what a caller sent.
 *
 * @param what - names the message in the error's text, such as `task result`.
 * @throws {@link InputError} `INVALID_REQUEST` with `details.issues` naming each path; also when
 * the value is nested deeper than {@link MAX_JSON_DEPTH}.
 */
export function parseRequest<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
): z.output<S> {
  const parsed = tryParse(schema, value)
  if (parsed.success) return parsed.data
  throw new InputError('INVALID_REQUEST', {
    message: `Invalid ${what}: ${summarise(parsed.issues)}`,
    details: { issues: parsed.issues },
  })
}

/**
 * A body that must be an object; the text is the one that clients of older generations know.
 *
 * @throws {@link InputError} `INVALID_JSON` when it is anything else.
 */
export function requireJsonObject(body: unknown): Record<string, unknown> {
  if (isJsonObject(body)) return body
  throw new InputError('INVALID_JSON', { message: 'Invalid JSON body' })
}

/**
 * Parses what a peer answered, or ordered us to do.
 *
 * @param what - names the message in the error's text, such as `job`.
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` with `details.issues`: the peer does not
 * speak this contract.
 */
export function parseReply<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
): z.output<S> {
  const parsed = tryParse(schema, value)
  if (parsed.success) return parsed.data
  throw new ConnectionError('UNEXPECTED_RESPONSE', {
    message: `The peer sent a ${what} that cannot be read: ${summarise(parsed.issues)}`,
    details: { issues: parsed.issues },
  })
}

type Parsed<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly issues: readonly RequestIssue[] }

function tryParse<S extends z.ZodType>(schema: S, value: unknown): Parsed<z.output<S>> {
  // First, because everything after this may walk the value recursively.
  if (isDeeperThan(value, MAX_JSON_DEPTH)) {
    const message = `nested deeper than ${MAX_JSON_DEPTH} levels`
    return { success: false, issues: [{ path: '', message }] }
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return { success: true, data: parsed.data }
  return { success: false, issues: describeIssues(parsed.error) }
}

function summarise(issues: readonly RequestIssue[]): string {
  const text = issues
    .slice(0, 3)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ')
  return issues.length > 3 ? `${text}; and ${issues.length - 3} more` : text
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text === '' ? String(key) : `${text}.${String(key)}`
  }, '')
}
