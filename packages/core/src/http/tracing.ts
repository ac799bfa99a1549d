/** The W3C trace context of a request; no other header is kept (H1-11). */
export function tracingOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Readonly<Record<string, string>> {
  const { traceparent, tracestate } = headers
  if (typeof traceparent !== 'string' || !/^[\da-f]{2}(-[\da-f]+){3}$/.test(traceparent)) return {}
  if (traceparent.length > 128) return {}
  const state = typeof tracestate === 'string' && tracestate.length <= 512 ? { tracestate } : {}
  return { traceparent, ...state }
}
