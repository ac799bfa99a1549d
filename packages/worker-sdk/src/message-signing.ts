// Signed messages.  G1 The key is the token that the worker was given for this orchestrator, also while another
// one stands in for it (C28), and never that of another orchestrator (C29).  G2 The time is that of the
// orchestrator, as its answers tell it: a worker whose clock is wrong is not shut out.  G3 What is sent is what
// was signed, letter by letter.
import { canonicalJson, isJsonObject } from '@avtomatika/protocol'

import { sealed, TIME_GAP, type Seal } from './seal.ts'

/** Answers tell the time in whole seconds, and take a while to arrive: less is no difference, in ms. */
const NOTABLE_MS = 2000

/** Signs what a worker says to one orchestrator. */
export class MessageSigner {
  readonly #secret: string
  readonly #signerId: string
  #shiftMs = 0

  /** @param secret - the token that the worker was given. */
  constructor({ secret, workerId }: { readonly secret: string; readonly workerId: string }) {
    this.#secret = secret
    this.#signerId = workerId
  }

  /** What signatures are made with now. */
  get seal(): Seal {
    return { secret: this.#secret, signerId: this.#signerId, shiftMs: this.#shiftMs }
  }

  /** A message with its time and signature; text that is no JSON object is left as it is. */
  sign(text: string, now: number): string {
    const message = this.prepare(text)
    return message === undefined ? text : sealed(message, this.seal, now)
  }

  /** A message that lacks nothing but its time and signature; `undefined` for what is no JSON object. */
  prepare(text: string): string | undefined {
    const message: unknown = JSON.parse(text)
    if (!isJsonObject(message)) return undefined
    const fields = Object.entries(message)
    const before = canonical(fields.filter(([name]) => name < 'timestamp' && name !== 'security'))
    const after = canonical(fields.filter(([name]) => name > 'timestamp'))
    const parts = [before, `"timestamp":${TIME_GAP}`, after].filter((part) => part !== '')
    return `{${parts.join(',')}}`
  }

  /**
   * Takes note of the time that an answer told.
   *
   * @param serverTime - in ms since 1970, whole seconds.
   * @param now - by the clock of this machine, when the answer came.
   * @returns whether that was news.
   */
  hear(serverTime: number, now: number): boolean {
    const shiftMs = serverTime + 500 - now
    if (Math.abs(shiftMs - this.#shiftMs) <= NOTABLE_MS) return false
    this.#shiftMs = Math.abs(shiftMs) <= NOTABLE_MS ? 0 : shiftMs
    return true
  }
}

/** The fields of an object without its braces. */
function canonical(fields: readonly (readonly [string, unknown])[]): string {
  return canonicalJson(Object.fromEntries(fields)).slice(1, -1)
}
