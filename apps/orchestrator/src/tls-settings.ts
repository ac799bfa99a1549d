/** Certificates of the server, by the names of the Python system. */
import { readFileSync } from 'node:fs'
import type { TlsConfig } from '@avtomatika/core'
import type { VariableReader } from './variable-reader.ts'

const SWITCHES: Readonly<Record<string, boolean>> = { true: true, false: false }
const PATHS = ['TLS_CERT_PATH', 'TLS_KEY_PATH', 'TLS_CA_PATH']

/** `undefined` when the server is to speak HTTP. */
export function readTls(read: VariableReader): TlsConfig | undefined {
  const isEnabled = read.choice('TLS_ENABLED', SWITCHES, false)
  const requireCert = read.choice('TLS_REQUIRE_CLIENT_CERT', SWITCHES, false)
  const isSaid = read.find('TLS_ENABLED') !== undefined
  if (!isEnabled) {
    const set = PATHS.find((name) => read.find(name) !== undefined)
    // Whoever says where certificates are counts on TLS; to leave it out must be meant.
    if (set === undefined || isSaid) return undefined
    read.wrong(`${set} is set, but TLS_ENABLED is not. Set it to true, or to false for HTTP.`, '')
    return undefined
  }
  const cert = readPem(read, 'TLS_CERT_PATH', 'needed')
  const key = readPem(read, 'TLS_KEY_PATH', 'needed')
  const ca = readPem(read, 'TLS_CA_PATH')
  if (requireCert && ca === undefined) {
    const whose = 'the file with the certificates of those who sign the ones of workers'
    read.wrong(
      `TLS_REQUIRE_CLIENT_CERT is true, but TLS_CA_PATH is not set. Set it to ${whose}.`,
      '',
    )
  }
  return { cert: cert ?? '', key: key ?? '', requireCert, ...(ca !== undefined && { ca }) }
}

function readPem(read: VariableReader, name: string, need?: 'needed'): string | undefined {
  const path = read.find(name)
  if (path === undefined) {
    if (need === 'needed')
      read.wrong(`${name} is not set. With TLS_ENABLED it is a file in PEM.`, '')
    return undefined
  }
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return read.wrong(`${name} must be a file that can be read: ${why}.`, '')
  }
}
