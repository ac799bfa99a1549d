/** An authority of its own, and certificates that it signs; good for a day. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'

export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

export interface Authority extends Certificate {
  /** A certificate of this name. */
  readonly sign: (commonName: string) => Promise<Certificate>
}

const openssl = promisify(execFile)
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
const HERE = ['-addext', 'subjectAltName=IP:127.0.0.1']

/** Gone when the test is over. */
export async function authority(): Promise<Authority> {
  const dir = await mkdtemp(join(tmpdir(), 'avtomatika-authority-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const make = async (name: string, more: readonly string[]): Promise<Certificate> => {
    const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)]
    const files = ['-keyout', keyFile, '-out', certFile]
    await openssl('openssl', ['req', '-x509', ...KEY, '-subj', `/CN=${name}`, ...files, ...more])
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
    return { cert, key, certFile, keyFile }
  }
  const own = await make('authority', [])
  const signer = ['-CA', own.certFile, '-CAkey', own.keyFile]
  return { ...own, sign: (commonName) => make(commonName, [...HERE, ...signer]) }
}
