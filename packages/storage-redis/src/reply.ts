/** Reads replies of our own scripts, which are as we wrote them. */
import type { Reply } from './script-runner.ts'

/** A list of lists. */
export function lists(reply: Reply): readonly (readonly Reply[])[] {
  if (!Array.isArray(reply)) return []
  return (reply as readonly Reply[]).filter((each) => Array.isArray(each))
}

/** A list of texts as bytes. */
export function buffers(reply: Reply): readonly Buffer[] {
  if (!Array.isArray(reply)) return []
  return (reply as readonly Reply[]).filter((each) => Buffer.isBuffer(each))
}

/** A list of texts. */
export function texts(reply: Reply): readonly string[] {
  return buffers(reply).map((each) => each.toString())
}

/** Two values in turn, as pairs. */
export function pairs(reply: Reply): readonly (readonly [id: string, item: Buffer])[] {
  const all = buffers(reply)
  const found: [string, Buffer][] = []
  for (let i = 0; i + 1 < all.length; i += 2) {
    const [id, item] = [all[i], all[i + 1]]
    if (id !== undefined && item !== undefined) found.push([id.toString(), item])
  }
  return found
}

/** A text or number as a number; `undefined` for nothing. */
export function number(reply: Reply): number | undefined {
  if (typeof reply === 'number') return reply
  return Buffer.isBuffer(reply) ? Number(reply.toString()) : undefined
}
