import { AvtomatikaError } from '@avtomatika/protocol'
import type { Environment } from './environment.ts'

/** What went wrong at start, for the person at the terminal: all of it, and what to do. */
export function startProblem(error: unknown, environment?: Environment): string {
  const lines = problemOf(error, environment).split('\n')
  return ['Avtomatika cannot start:', ...lines.map((line) => `  - ${line}`), ''].join('\n')
}

function problemOf(error: unknown, environment: Environment | undefined): string {
  if (AvtomatikaError.is(error)) return error.message
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  if (environment === undefined || code === '') return error.stack ?? error.message
  const { host, port } = environment
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${String(port)} on ${host} is in use. Stop the program that has it, or set API_PORT to another port.`
    case 'EACCES':
      return `Port ${String(port)} needs rights that this process does not have. Set API_PORT to a port above 1023.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `API_HOST '${host}' is not an address of this machine. Set it to 0.0.0.0 for all of them.`
    default:
      return error.stack ?? error.message
  }
}
