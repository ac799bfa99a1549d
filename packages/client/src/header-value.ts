const HEADER_VALUE = /^[\x21-\x7e]{1,1024}$/

/** Whether a text can travel in a header as it is: visible ASCII, 1 to 1024 characters. */
export function isHeaderValue(value: string): boolean {
  return HEADER_VALUE.test(value)
}
