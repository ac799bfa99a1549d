// What is published is what works: packs every publishable package and looks at the tarball as a user would.
//
// P1 Only `dist`, README, LICENSE and package.json are in it, and nothing points at our sources.
// P2 publint and attw (ESM only) find nothing.
// P3 A CommonJS program can `require()` every entry; a door that is ESM only must not wait at its top level.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from './bootstrap.mjs'

const execute = promisify(execFile)
const SOURCE_CONDITION = '@avtomatika/source'
const ALLOWED_FILE = /^package\/(dist\/.+|README\.md|LICENSE|package\.json)$/

/** Loading a package leaves nothing running. */
const REQUIRE_TIMEOUT_MS = 20_000

const scratch = await mkdtemp(join(tmpdir(), 'avtomatika-packages-'))
try {
  const packages = await publishablePackages()
  const unpacked = await Promise.all(packages.map(unpack))
  // Only now: to load one of them, the others must be in place.
  const checked = await Promise.all(unpacked.map(checkPackage))
  for (const { name, version, files, problems } of checked) {
    const verdict = problems.length === 0 ? 'ok' : 'FAILED'
    console.log(`${name}@${version}  ${verdict}, ${files.length} files`)
    for (const problem of problems) console.log(`  ${problem.replaceAll('\n', '\n  ')}`)
  }
  process.exitCode = checked.every(({ problems }) => problems.length === 0) ? 0 : 1
} finally {
  await rm(scratch, { recursive: true, force: true })
}

async function publishablePackages() {
  const folders = []
  for (const group of ['packages', 'apps']) {
    for (const name of await readdir(join(ROOT, group))) folders.push(join(ROOT, group, name))
  }
  const found = []
  for (const folder of folders.filter((each) => existsSync(join(each, 'package.json')))) {
    const manifest = await readManifest(folder)
    if (manifest.private !== true) found.push({ folder, name: manifest.name })
  }
  return found
}

async function readManifest(folder) {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
}

/** Packs a package as it would be published, and installs the tarball without its dependencies of others. */
async function unpack({ folder, name }) {
  const tarball = join(scratch, `${name.replace('/', '-')}.tgz`)
  const installed = join(scratch, 'node_modules', name)
  await execute('pnpm', ['pack', '--out', tarball], { cwd: folder })
  const { stdout: listing } = await execute('tar', ['-tzf', tarball])
  await mkdir(installed, { recursive: true })
  await execute('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  const manifest = await readManifest(installed)
  await linkDependencies(folder, manifest)
  return { name, tarball, manifest, files: listing.trim().split('\n') }
}

async function checkPackage({ name, tarball, manifest, files }) {
  const doors = entries(manifest)
  const problems = [
    ...contentProblems(files),
    ...manifestProblems(manifest),
    ...(await tool('publint', ['run', tarball, '--strict'])),
    ...(doors.length > 0 ? await tool('attw', [tarball, '--profile', 'esm-only']) : []),
    ...(await Promise.all(doors.map(requireProblems))).flat(),
  ]
  return { name, version: manifest.version, files, problems }
}

function contentProblems(files) {
  const strange = files.filter((file) => !ALLOWED_FILE.test(file))
  const missing = ['package/README.md', 'package/LICENSE'].filter((file) => !files.includes(file))
  const built = files.some((file) => file.startsWith('package/dist/'))
  return [
    ...strange.map(
      (file) => `${file} does not belong in the tarball; see "files" in package.json.`,
    ),
    ...missing.map((file) => `${file} is missing in the tarball; add it beside package.json.`),
    ...(built ? [] : ['dist is empty; run the build first.']),
  ]
}

function manifestProblems(manifest) {
  const text = JSON.stringify(manifest)
  const problems = []
  if (text.includes(SOURCE_CONDITION)) {
    problems.push(
      `The published exports name ${SOURCE_CONDITION}; repeat them without it in publishConfig.exports.`,
    )
  }
  if (/"(workspace|catalog):/.test(text)) problems.push('A workspace: or catalog: version is left.')
  return problems
}

async function tool(program, args) {
  try {
    await execute('pnpm', ['exec', program, ...args], { cwd: ROOT })
    return []
  } catch (error) {
    return [`${program} says\n${error.stdout ?? ''}${error.stderr ?? error.message}`]
  }
}

/** What a program can import; a package that is only a command has none. */
function entries(manifest) {
  return Object.entries(manifest.exports ?? {}).flatMap(([path, target]) =>
    typeof target === 'object' && 'types' in target ? [`${manifest.name}${path.slice(1)}`] : [],
  )
}

/** Requires an entry in a process of its own, with the tarballs as the only copies of our packages. */
async function requireProblems(entry) {
  const program = join(scratch, `${entry.replaceAll('/', '-')}.cjs`)
  await writeFile(
    program,
    `if (Object.keys(require('${entry}')).length === 0) throw new Error('it exports nothing')\n`,
  )
  try {
    await execute(process.execPath, ['--no-warnings', program], {
      cwd: scratch,
      timeout: REQUIRE_TIMEOUT_MS,
    })
    return []
  } catch (error) {
    const why = error.killed ? 'the process did not end by itself' : (error.stderr ?? error.message)
    return [`require('${entry}') fails:\n${why}`]
  }
}

/** The dependencies of others come from the workspace; ours are the unpacked tarballs beside. */
async function linkDependencies(folder, manifest) {
  // Optional peers too: a door of its own may need one.
  const needed = { ...manifest.dependencies, ...manifest.peerDependencies }
  const others = Object.keys(needed).filter((name) => !name.startsWith('@avtomatika/'))
  for (const name of others) {
    const link = join(scratch, 'node_modules', manifest.name, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(folder, 'node_modules', name), link, 'junction')
  }
}
