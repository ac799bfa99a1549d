/** Signs as a worker does: written anew from the description, to be held against what the server makes of it. */
import { createHmac } from 'node:crypto'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
type Message = Readonly<Record<string, Json>>

/** The message with its `security`; of events, `bubbling_chain` is not signed. */
export function signed(message: object, secret: string, signerId: string): Message {
  const { security, ...rest } = message as Message
  const text = canonical(without(rest, 'event_type' in rest ? 'bubbling_chain' : ''))
  const signature = createHmac('sha256', secret).update(text).digest('hex')
  return {
    ...(message as Message),
    security: { ...(security as Message), signature, signer_id: signerId },
  }
}

function without(message: Message, name: string): Message {
  return Object.fromEntries(Object.entries(message).filter(([key]) => key !== name))
}

function canonical(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(',')}]`
  const known = Object.entries(value as Message).filter(([, member]) => member !== null)
  known.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return `{${known.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`
}
