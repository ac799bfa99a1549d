/** What a host program gets: the packed packages, installed into a project that is not this one. */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PACKAGES = ['protocol', 'core', 'worker-sdk', 'client']

let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'avtomatika-embedding-'))
  for (const name of PACKAGES) {
    const cwd = join(ROOT, 'packages', name)
    await run('pnpm', ['pack', '--pack-destination', project], { cwd })
  }
  const tarballs = (await readdir(project)).filter((file) => file.endsWith('.tgz'))
  const ofPackage = (name: string): string => {
    const tarball = tarballs.find((file) => file.startsWith(`avtomatika-${name}-`))
    if (tarball === undefined) throw new Error(`No tarball of ${name}: ${tarballs.join(', ')}`)
    return `file:./${tarball}`
  }
  const ours = PACKAGES.map((name) => [`@avtomatika/${name}`, ofPackage(name)])
  const dependencies = { ...Object.fromEntries(ours), fastify: '^5.0.0' }
  const manifest = { name: 'host', private: true, type: 'module', dependencies }
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest))
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: project })
  for (const file of await readdir(join(ROOT, 'e2e', 'embedding'))) {
    await copyFile(join(ROOT, 'e2e', 'embedding', file), join(project, file))
  }
})

afterAll(async () => {
  await rm(project, { recursive: true, force: true })
})

async function outputOf(program: string): Promise<string> {
  const { stdout } = await run(process.execPath, [program], { cwd: project, timeout: 60_000 })
  return stdout
}

describe('the packed packages in a project of their own', () => {
  it('run an engine that listens by itself, with a worker and a client', async () => {
    const output = await outputOf('own-server.mjs')
    expect(output).toContain('RESULT finished {"greeting":"Hello World"}')
  })

  it("run under a prefix of the host's own Fastify app", async () => {
    const output = await outputOf('host-app.mjs')
    expect(output).toContain('RESULT the host answers / finished "ran in the host"')
  })
})
