import { InputError, isJsonObject } from '@avtomatika/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A body that is no JSON counts as none: older workers send such heartbeats. */
    readonly lenientBody?: boolean
  }
}

/** Texts of bodies that say that they are signed: what was signed is the text. */
const texts = new WeakMap<FastifyRequest, string>()

/** The text of a body, if that says that it is signed. */
export function sentText(request: FastifyRequest): string | undefined {
  return texts.get(request)
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
    const text = body.toString()
    void parseJson(request, text, (error, value: unknown) => {
      if (error === null) {
        if (isJsonObject(value) && Object.hasOwn(value, 'security')) texts.set(request, text)
        done(null, value)
      } else if (request.routeOptions.config.lenientBody === true) done(null, undefined)
      else done(new InputError('INVALID_JSON', { message: 'Invalid JSON body', cause: error }))
    })
  })
}
