/** Version of the wire contract that this package speaks. Sent in {@link HEADERS.protocolVersion} on every message. */
export const PROTOCOL_VERSION = '1.0b14'

/**
 * Compares a peer's protocol version with ours.
 *
 * Versions are compared as plain text and a difference never refuses a message: most generations
 * understand each other, so the difference is only worth a line in a log or a reply.
 *
 * @param version - value of the version header; peers of the first generation send none.
 * @returns a warning for the peer, or `null` when there is nothing to say.
 */
export function protocolWarning(version: string | null | undefined): string | null {
  if (version === undefined || version === null || version === '') return null
  if (version === PROTOCOL_VERSION) return null
  return `Protocol version mismatch: peer speaks ${version.slice(0, 32)}, this side ${PROTOCOL_VERSION}.`
}
