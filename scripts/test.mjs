// `npm test`: every check there is, cheap ones first. Ends with one line, `N passed, N failed`.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureDependencies, ROOT, toolEnvironment } from './tools.mjs'

const env = toolEnvironment()
ensureDependencies(env)
const scratch = mkdtempSync(join(tmpdir(), 'avtomatika-test-'))
const results = join(scratch, 'vitest.json')

const turbo = (...tasks) => ['pnpm', 'exec', 'turbo', 'run', ...tasks, '--output-logs=errors-only']
const STAGES = [
  ['format', ['pnpm', 'run', 'format:check']],
  ['build', turbo('build')],
  ['types', turbo('test:types')],
  ['lint', turbo('lint')],
  ['unused code', ['pnpm', 'run', 'unused']],
  ['packages', ['pnpm', 'run', 'check:packages']],
  ['tests', ['pnpm', 'exec', 'vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${results}`]],
]

let failed = 0
for (const [name, command] of STAGES) if (!(await stage(name, command))) failed += 1
const tests = readResults()
rmSync(scratch, { recursive: true, force: true })
// A failed test run is counted by its tests, unless it broke before it could count any.
const testStageOnly = failed === 1 && tests.failed > 0 ? 0 : failed
const total = tests.failed + testStageOnly
console.log(`${tests.passed} passed, ${total} failed`)
process.exitCode = failed === 0 && total === 0 && tests.passed > 0 ? 0 : 1

async function stage(name, command) {
  const begin = Date.now()
  const isTests = name === 'tests'
  if (isTests) console.log('tests …')
  const { code, output } = await runStage(command, isTests)
  const seconds = ((Date.now() - begin) / 1000).toFixed(1)
  if (code === 0) {
    console.log(`ok      ${name} (${seconds} s)`)
    return true
  }
  console.log(output)
  console.log(`FAILED  ${name} (${seconds} s); to repeat: scripts/with-tools ${command.join(' ')}`)
  return false
}

/** Quiet stages show their output only when they fail; the tests show it as it comes. */
function runStage([command, ...args], loud) {
  return new Promise((resolve) => {
    const stdio = loud ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe']
    const child = spawn(command, args, { cwd: ROOT, env, stdio, shell: process.platform === 'win32' })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => (output += text))
    }
    child.on('error', (error) => resolve({ code: 1, output: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

function readResults() {
  if (!existsSync(results)) return { passed: 0, failed: 0 }
  const { numPassedTests, numFailedTests, numFailedTestSuites, success } = JSON.parse(readFileSync(results, 'utf8'))
  const broken = !success && numFailedTests === 0 ? Math.max(1, numFailedTestSuites) : 0
  return { passed: numPassedTests, failed: numFailedTests + broken }
}
