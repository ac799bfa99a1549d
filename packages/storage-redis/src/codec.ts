/** Documents as bytes. Redis never looks into them. */
import { Packr } from 'msgpackr'

// No shared structures: every document can be read by itself, by any process.
const packr = new Packr({ useRecords: false })

export function encode(value: object): Buffer {
  return packr.pack(value)
}

/** What {@link encode} wrote; only this package writes under its keys. */
export function decode<T>(bytes: Buffer): T {
  return packr.unpack(bytes) as T
}
