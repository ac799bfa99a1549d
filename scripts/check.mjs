// `npm test`: every check there is, cheap ones first, up to the first that fails.
// The last line is always `N passed, N failed`: tests, with a failed check of another kind counted as one.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, ROOT, SetupProblem } from './bootstrap.mjs'
import { runQuietly } from './run-command.mjs'

const scratch = mkdtempSync(join(tmpdir(), 'avtomatika-check-'))
const turbo = (task) => [
  'pnpm',
  'exec',
  'turbo',
  'run',
  task,
  '--output-logs=errors-only',
  '--continue',
]
const vitest = (name, filter) => ({
  name,
  command: ['pnpm', 'exec', 'vitest', 'run', `--project=${filter}`],
  results: join(scratch, `${name}.json`),
})

// Lint and types look at the whole workspace in one process: on a fresh clone that is twice as fast as one for
// each package. turbo still has `lint` and `test:types` of single packages.
const STAGES = [
  { name: 'format', command: ['pnpm', 'run', 'format:check'] },
  { name: 'lint', command: turbo('lint', 'lint:root') },
  { name: 'types', command: turbo('test:types', 'test:types:root') },
  { name: 'unused code', command: ['pnpm', 'run', 'unused'] },
  { name: 'build', command: turbo('build') },
  { name: 'packages', command: ['node', 'scripts/check-packages.mjs'] },
  vitest('tests', '!@avtomatika/e2e'),
  ...(existsSync(join(ROOT, 'e2e/package.json')) ? [vitest('e2e', '@avtomatika/e2e')] : []),
]

const totals = { passed: 0, failed: 0 }
try {
  const env = {
    ...bootstrap(),
    ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }),
  }
  for (const stage of STAGES) if (!(await check(stage, env))) break
} catch (error) {
  console.log(error instanceof SetupProblem ? error.message : error)
  totals.failed += 1
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
console.log(`${totals.passed} passed, ${totals.failed} failed`)
process.exitCode = totals.failed === 0 ? 0 : 1

async function check({ name, command, results }, env) {
  process.stdout.write(`${name.padEnd(12)} `)
  const begin = performance.now()
  const { code, output } = await runQuietly([...command, ...reporters(results)], env)
  const seconds = `${((performance.now() - begin) / 1000).toFixed(1)} s`
  const counts = countTests(results, code)
  totals.passed += counts.passed
  totals.failed += counts.failed
  const told = results === undefined ? '' : `, ${counts.passed} passed${skipped(counts)}`
  if (code === 0) {
    console.log(`ok      ${seconds}${told}`)
    return true
  }
  console.log(`FAILED  ${seconds}${told}\n\n${output.trimEnd()}\n`)
  console.log(`Only this check again: scripts/with-tools ${command.map(quoted).join(' ')}\n`)
  return false
}

function reporters(results) {
  if (results === undefined) return []
  return ['--reporter=dot', '--reporter=json', `--outputFile.json=${results}`]
}

/** A check that failed without a failed test (a broken import, an unhandled error) counts as one. */
function countTests(results, code) {
  const report =
    results !== undefined && existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : {}
  const { numPassedTests: passed = 0, numFailedTests = 0, numPendingTests: skipped = 0 } = report
  return { passed, skipped, failed: code === 0 ? numFailedTests : Math.max(1, numFailedTests) }
}

function skipped(counts) {
  return counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`
}

/** As a shell has to be given it. */
function quoted(argument) {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument}'`
}
