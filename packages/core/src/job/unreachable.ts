import { InternalError } from '@avtomatika/protocol'

/** Ends a switch over a union: compiles only while every member is handled. */
export function unreachable(value: never): never {
  throw new InternalError('INTERNAL', { message: `Unhandled case: ${JSON.stringify(value)}` })
}
