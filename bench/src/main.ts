/** Runs the scenarios, prints a table, and writes the figures as JSON to `results/`. */
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { advanceScenario } from './advance-scenario.ts'
import { echoScenario } from './echo-scenario.ts'
import { readSettings } from './settings.ts'

const settings = readSettings(process.argv.slice(2))
const box = {
  node: process.version,
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
}
console.log(
  `Box: ${String(box.cores)} cores (${box.cpu}), Node ${box.node}; all processes share it.`,
)
console.log(`Settings: ${JSON.stringify(settings)}; storage: memory; logs at warn.`)
const echo = await echoScenario(settings)
console.table({
  'echo, one task': {
    'jobs/s': Math.round(echo.jobsPerSecond),
    'p50 ms': echo.p50,
    'p99 ms': echo.p99,
  },
})
const decisions = advanceScenario()
console.table(
  Object.fromEntries(
    Object.entries(decisions).map(([name, { bytes, p50Us, p99Us }]) => [
      `advance: ${name}`,
      { bytes, 'p50 µs': Number(p50Us.toFixed(1)), 'p99 µs': Number(p99Us.toFixed(1)) },
    ]),
  ),
)
const folder = new URL('../results/', import.meta.url)
await mkdir(folder, { recursive: true })
const file = new URL('latest.json', folder)
await writeFile(file, `${JSON.stringify({ box, settings, echo, advance: decisions }, null, 2)}\n`)
console.log('Written to bench/results/latest.json')
