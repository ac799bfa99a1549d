// Fields of a peer's document, read leniently: what is not there, or not what we expect, is null.

import { isJsonObject } from '@avtomatika/protocol'

type Document = Readonly<Record<string, unknown>>

/** A text that is not empty. */
export function textOf(document: Document, field: string): string | null {
  const value = document[field]
  return typeof value === 'string' && value !== '' ? value : null
}

/** A number. */
export function numberOf(document: Document, field: string): number | null {
  const value = document[field]
  return typeof value === 'number' ? value : null
}

/** An object. */
export function objectOf(document: Document, field: string): Record<string, unknown> | null {
  const value = document[field]
  return isJsonObject(value) ? value : null
}

/** The members of a list; none when it is not a list. */
export function listOf(document: Document, field: string): readonly unknown[] {
  const value = document[field]
  return Array.isArray(value) ? value : []
}

/** A time in ms since 1970; on the wire it is ISO 8601, or seconds since 1970 in older documents. */
export function timeOf(document: Document, field: string): number | null {
  const value = document[field]
  if (typeof value === 'number') return value * 1000
  if (typeof value !== 'string') return null
  // Older servers leave the zone out and mean UTC; Date.parse would take this machine's.
  const at = Date.parse(/T[\d:.]+$/.test(value) ? `${value}Z` : value)
  return Number.isNaN(at) ? null : at
}
