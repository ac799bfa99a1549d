import { pino, type Logger } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { Environment } from './environment.ts'

/** Lines on standard output: JSON for machines, text for people. Written at once, so that none is lost at the end. */
export function createLog({
  logLevel,
  logFormat,
}: Pick<Environment, 'logLevel' | 'logFormat'>): Logger {
  const options = { name: 'avtomatika', level: logLevel }
  if (logFormat === 'json') return pino(options, pino.destination({ fd: 1, sync: true }))
  const colorize = process.stdout.isTTY && !process.env['NO_COLOR']
  return pino(
    options,
    PinoPretty({
      colorize,
      sync: true,
      // The last two stand in the message of the line already.
      ignore: 'pid,hostname,name,url,path',
      translateTime: 'SYS:HH:MM:ss.l',
      singleLine: true,
    }),
  )
}
