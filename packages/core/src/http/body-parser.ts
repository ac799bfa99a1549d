import { InputError } from '@avtomatika/protocol'
import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A body that is no JSON counts as none: older workers send such heartbeats. */
    readonly lenientBody?: boolean
  }
}

/** Reads every body as JSON, whatever its content type says: older clients do not always say. */
export function parseJsonBodies(app: FastifyInstance): void {
  // `error` refuses `__proto__` and `constructor.prototype` keys.
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') {
      done(null, undefined)
      return
    }
    void parseJson(request, body.toString(), (error, value: unknown) => {
      if (error === null) done(null, value)
      else if (request.routeOptions.config.lenientBody === true) done(null, undefined)
      else done(new InputError('INVALID_JSON', { message: 'Invalid JSON body', cause: error }))
    })
  })
}
