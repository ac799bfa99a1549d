/** A socket that fails twice: TLS tells of a refused certificate, and of the goodbye that follows it. */
import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { surviveSecondErrors } from '../src/connection-error.ts'

it('a second error of the same socket ends no process', () => {
  const stream = new EventEmitter()
  const redis = Object.assign(new EventEmitter(), { stream })
  // As our client does it: it listens to the first error of a socket, and tells of it.
  stream.once('error', (error) => redis.emit('error', error))
  surviveSecondErrors(redis as never)
  redis.on('error', () => undefined)
  stream.emit('error', new Error('self-signed certificate'))
  expect(() => stream.emit('error', new Error('decode error'))).not.toThrow()
  expect(stream.listenerCount('error')).toBe(1)
})

it('an error of a socket that was in use ends no process, whoever listens', () => {
  const stream = new EventEmitter()
  const redis = Object.assign(new EventEmitter(), { stream })
  surviveSecondErrors(redis as never)
  redis.emit('connect')
  expect(() => stream.emit('error', new Error('reset'))).not.toThrow()
})

it('an error before there is a socket is told as before', () => {
  const redis = new EventEmitter()
  surviveSecondErrors(redis as never)
  expect(() => redis.emit('error', new Error('ENOTFOUND'))).not.toThrow()
})
