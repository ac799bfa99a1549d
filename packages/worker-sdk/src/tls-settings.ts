import { readFileSync } from 'node:fs'

import type { SettingsReader } from './environment.ts'
import type { TlsSettings } from './transport.ts'

/** The certificates that `TLS_CA_PATH`, `TLS_CERT_PATH` and `TLS_KEY_PATH` name, if any. */
export function readTls(reader: SettingsReader): TlsSettings | undefined {
  const ca = readPem('TLS_CA_PATH', reader)
  const cert = readPem('TLS_CERT_PATH', reader)
  const key = readPem('TLS_KEY_PATH', reader)
  if ((cert === undefined) !== (key === undefined) && reader.problems.length === 0) {
    const name = cert === undefined ? 'TLS_CERT_PATH' : 'TLS_KEY_PATH'
    reader.problems.push({ name, expected: 'a certificate and its key, both or none' })
  }
  if (ca === undefined && cert === undefined) return undefined
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}

function readPem(variable: string, reader: SettingsReader): string | undefined {
  const path = reader.text(variable)
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    reader.problems.push({ name: variable, value: path, expected: `a file that is there (${why})` })
    return undefined
  }
}
