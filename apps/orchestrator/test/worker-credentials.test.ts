/** How workers prove who they are, as an operator says it. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ConfigError } from '@avtomatika/protocol'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readEnvironment } from '../src/environment.ts'
import { readWorkersFile } from '../src/workers-file.ts'
import { OrchestratorProcess } from './orchestrator-process.ts'

const SETTINGS = {
  CLIENT_TOKEN: 'client-secret-of-the-test',
  BLUEPRINTS_DIR: fileURLToPath(new URL('blueprints', import.meta.url)),
  API_HOST: '127.0.0.1',
  API_PORT: '0',
}

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'worker-credentials-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

function start(variables: Readonly<Record<string, string>>): OrchestratorProcess {
  const program = new OrchestratorProcess({ ...SETTINGS, ...variables })
  onTestFinished(async () => {
    program.kill('SIGKILL')
    await program.ended
  })
  return program
}

function problemsOf(variables: Readonly<Record<string, string>>): readonly string[] {
  try {
    readEnvironment({ ...SETTINGS, ...variables })
    return []
  } catch (error) {
    if (!ConfigError.is(error)) throw error
    return error.message.split('\n')
  }
}

describe('the file with the tokens of workers', () => {
  it('has a table for each worker, and for patterns of their ids', async () => {
    const path = await file(
      'workers.toml',
      `[gpu-1]
token = "secret-1" # rotated in spring
description = "the one in the cellar"
[gpu_2]
token = "secret-2"
["pattern:cpu-*"]
token = "secret-3"
["edge-?"]
token = "secret-4"
`,
    )
    expect(await readWorkersFile(path)).toEqual({
      individual: { 'gpu-1': 'secret-1', gpu_2: 'secret-2' },
      patterns: { 'cpu-*': 'secret-3', 'edge-?': 'secret-4' },
    })
  })

  it('is refused with everything that is wrong, and no token in it', async () => {
    const text = `name = "x"
[a]
tokem = "s3cret-a"
[b]
token = 7
[c]
token = ""
[d]
token = "s3cret with spaces"
[e]
token = "secure-worker-token"
[f]
token = "s3cret-f"
`
    const reading = readWorkersFile(await file('wrong.toml', text))
    const error: unknown = await reading.catch((thrown: unknown) => thrown)
    expect(ConfigError.is(error)).toBe(true)
    const { message } = error as ConfigError
    for (const name of ['name', 'a', 'b', 'c', 'd', 'e']) expect(message).toContain(`[${name}]`)
    expect(message).not.toContain('[f]')
    expect(message).not.toContain('s3cret')
  })

  it('that is no TOML is refused by the line, without showing it', async () => {
    const reading = readWorkersFile(await file('broken.toml', '[a]\ntoken = "s3cret\n'))
    await expect(reading).rejects.toThrow(/line 2, column \d+/)
    await expect(reading).rejects.not.toThrow('s3cret')
    await expect(readWorkersFile(join(folder, 'none.toml'))).rejects.toThrow('WORKERS_CONFIG_PATH')
  })
})

describe('the variables', () => {
  it('need a token of all workers only where there is no other way', async () => {
    expect(problemsOf({})).toMatchObject([expect.stringContaining('GLOBAL_WORKER_TOKEN')])
    expect(problemsOf({ WORKERS_CONFIG_PATH: 'workers.toml' })).toEqual([])
    expect(problemsOf({ WORKER_AUTH_MODE: 'mtls-only' })).toEqual([])
    expect(problemsOf({ WORKER_AUTH_MODE: 'token-only' })).toHaveLength(1)
  })

  it('for TLS are told with what is missing', async () => {
    const worker = { GLOBAL_WORKER_TOKEN: 'worker-secret' }
    const pem = await file('any.pem', 'PEM')
    const problems = (more: Readonly<Record<string, string>>): string =>
      problemsOf({ ...worker, ...more }).join('\n')
    expect(problems({ TLS_CERT_PATH: pem })).toContain('TLS_ENABLED is not')
    expect(problems({ TLS_CERT_PATH: pem, TLS_ENABLED: 'false' })).toBe('')
    expect(problems({ TLS_ENABLED: 'yes' })).toContain('TLS_ENABLED must be one of')
    const neither = problems({ TLS_ENABLED: 'true', TLS_REQUIRE_CLIENT_CERT: 'True' })
    for (const name of ['TLS_CERT_PATH', 'TLS_KEY_PATH', 'TLS_CA_PATH']) {
      expect(neither).toContain(`${name} is not set`)
    }
    const none = { TLS_ENABLED: 'true', TLS_CERT_PATH: pem, TLS_KEY_PATH: join(folder, 'none') }
    expect(problems(none)).toContain('TLS_KEY_PATH must be a file that can be read')
    const set = { ...none, TLS_KEY_PATH: pem, TLS_CA_PATH: pem, TLS_REQUIRE_CLIENT_CERT: 'true' }
    expect(readEnvironment({ ...SETTINGS, ...worker, ...set }).tls).toEqual({
      cert: 'PEM',
      key: 'PEM',
      ca: 'PEM',
      requireCert: true,
    })
  })

  it('with a value that nobody knows are refused', () => {
    const variables = { WORKER_AUTH_MODE: 'mtls-only', WORKER_SIGNATURES: 'sometimes' }
    expect(problemsOf(variables).join()).toContain('WORKER_SIGNATURES must be one of')
  })
})

describe('the program', () => {
  it('reads the tokens again when an admin asks, and keeps the old ones if it cannot (D-59)', async () => {
    const path = await file('live.toml', '[w1]\ntoken = "first-secret"\n')
    const admin = { 'x-client-token': 'admin-secret-of-the-test' }
    const program = start({
      WORKERS_CONFIG_PATH: path,
      ADMIN_TOKEN: 'admin-secret-of-the-test',
    })
    const url = await program.started
    const poll = async (token: string): Promise<number> => {
      const headers = { 'x-worker-token': token }
      return (await fetch(`${url}/_worker/workers/w1/tasks/next`, { headers })).status
    }
    const reload = (headers: Record<string, string> = admin): Promise<Response> =>
      fetch(`${url}/api/admin/reload-workers`, { method: 'POST', headers })
    expect([await poll('first-secret'), await poll('next-secret')]).toEqual([404, 401])
    expect((await reload({ 'x-client-token': SETTINGS.CLIENT_TOKEN })).status).toBe(403)
    await writeFile(path, '[w1]\ntoken = "next-secret')
    const refused = await reload()
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ code: 'WORKERS_CONFIG_INVALID' })
    expect(await poll('first-secret')).toBe(404)
    await writeFile(path, '[w1]\ntoken = "next-secret"\n')
    const taken = await reload()
    expect([taken.status, await taken.json()]).toEqual([200, { status: 'worker_configs_reloaded' }])
    expect([await poll('first-secret'), await poll('next-secret')]).toEqual([401, 404])
    program.kill('SIGTERM')
    const { stdout, stderr } = await program.ended
    expect(stdout + stderr).not.toMatch(/first-secret|next-secret|admin-secret/)
  })

  it('does not start with a file that it cannot use', async () => {
    const path = await file('unusable.toml', '[w1]\ndescription = "no token"\n')
    const { code, stderr } = await start({ WORKERS_CONFIG_PATH: path }).ended
    expect([code, stderr]).toEqual([1, expect.stringContaining('[w1] has no token')])
  })

  it('speaks HTTPS, and knows workers by their certificates', async () => {
    const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    // One for both ends will do here: it is signed by itself, and trusted by both.
    const subject = ['-subj', '/CN=w1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1']
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-x509']
    const out = ['-keyout', keyFile, '-out', certFile]
    await promisify(execFile)('openssl', ['req', ...kind, ...subject, ...out])
    const program = start({
      TLS_ENABLED: 'true',
      TLS_CERT_PATH: certFile,
      TLS_KEY_PATH: keyFile,
      TLS_CA_PATH: certFile,
      WORKER_AUTH_MODE: 'mtls-only',
    })
    const url = await program.started
    expect(url).toMatch(/^https:/)
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)])
    const poll = (own: object): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const path = `${url}/_worker/workers/w1/tasks/next`
        get(path, { ca: cert, agent: false, ...own }, ({ statusCode }) => {
          resolve(statusCode)
        }).on('error', reject)
      })
    expect([await poll({ cert, key }), await poll({})]).toEqual([404, 401])
  })
})
