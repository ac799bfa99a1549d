import { ConnectionError } from '@avtomatika/protocol'

/** Longest answer that is read: 16 MiB, well above what a server stores for one job. */
export const MAX_RESPONSE_BYTES = 16 * 1024 * 1024

/** The part of an HTTP body that is needed to read it. */
export interface ReadableBody extends AsyncIterable<unknown> {
  destroy(): unknown
}

/**
 * Reads a whole body as text.
 *
 * @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when it is longer than {@link MAX_RESPONSE_BYTES}.
 */
export async function readText(body: ReadableBody): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    // undici gives buffers; anything else is a broken dispatcher.
    if (!(chunk instanceof Uint8Array))
      throw new TypeError('The dispatcher gave a body of no bytes.')
    size += chunk.byteLength
    if (size > MAX_RESPONSE_BYTES) {
      body.destroy()
      throw new ConnectionError('UNEXPECTED_RESPONSE', {
        message: `The answer is longer than ${MAX_RESPONSE_BYTES} bytes. Store large data as files and keep references in the job.`,
      })
    }
    chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The parsed JSON, or the text itself when it is not JSON. */
export function parseJsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Older servers and proxies answer in plain text; whoever needs JSON checks the value's shape.
    return text
  }
}
