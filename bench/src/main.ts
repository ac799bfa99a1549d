/** Runs the scenarios, prints a table, and writes the figures as JSON to `results/`. */
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { advanceScenario } from './advance-scenario.ts'
import { echoScenario, type EchoFigures } from './echo-scenario.ts'
import { fanScenario, type FanFigures } from './fan-scenario.ts'
import { idleScenario, type IdleFigures } from './idle-scenario.ts'
import { readSettings } from './settings.ts'

const { redisUrl, ...settings } = readSettings(process.argv.slice(2))
const box = {
  node: process.version,
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
}
console.log(
  `Box: ${String(box.cores)} cores (${box.cpu}), Node ${box.node}; all processes share it.`,
)
console.log(`Settings: ${JSON.stringify(settings)}; logs at warn.`)
const echo: Record<string, EchoFigures> = { memory: await echoScenario(settings) }
if (redisUrl !== undefined) echo['redis'] = await echoScenario(settings, redisUrl)
console.table(
  Object.fromEntries(
    Object.entries(echo).map(([storage, { jobsPerSecond, p50, p99, ...figures }]) => [
      `echo, one task, ${storage}`,
      {
        'jobs/s': Math.round(jobsPerSecond),
        'p50 ms': p50,
        'p99 ms': p99,
        'orchestrator µs per job': Math.round(figures.orchestratorUs),
        'worker µs per job': Math.round(figures.workerUs),
      },
    ]),
  ),
)
const costs = echo['redis']?.redis
if (costs !== undefined) {
  console.table({
    'Redis, per job': {
      'round trips': Number(costs.roundTrips.toFixed(1)),
      'bytes to it': Math.round(costs.bytesIn),
      'bytes from it': Math.round(costs.bytesOut),
    },
  })
}
const fan: Record<string, FanFigures[]> = { memory: [], redis: [] }
for (const branches of settings.branches) {
  const size = { branches, workerSlots: settings.workerSlots }
  fan['memory']?.push(await fanScenario(size))
  if (redisUrl !== undefined) fan['redis']?.push(await fanScenario(size, redisUrl))
}
console.table(
  Object.fromEntries(
    Object.entries(fan).flatMap(([storage, runs]) =>
      runs.map(({ branches, seconds, cpuSeconds }) => [
        `fan-out to ${String(branches)}, ${storage}`,
        {
          seconds: Number(seconds.toFixed(2)),
          'of these, orchestrator at work': Number(cpuSeconds.toFixed(2)),
        },
      ]),
    ),
  ),
)
const idle: Record<string, IdleFigures> = {}
if (settings.idleWorkers > 0) {
  idle['memory'] = await idleScenario(settings.idleWorkers)
  if (redisUrl !== undefined) idle['redis'] = await idleScenario(settings.idleWorkers, redisUrl)
}
console.table(
  Object.fromEntries(
    Object.entries(idle).map(([storage, figures]) => [
      `${String(figures.workers)} idle workers, ${storage}`,
      {
        'kB of heap each': Number((figures.heapPerWorker / 1024).toFixed(1)),
        'kB resident each': Number((figures.residentPerWorker / 1024).toFixed(1)),
        'Redis commands/s': figures.commandsPerSecond ?? '',
      },
    ]),
  ),
)
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
await writeFile(
  file,
  `${JSON.stringify({ box, settings, echo, fan, idle, advance: decisions }, null, 2)}\n`,
)
console.log('Written to bench/results/latest.json')
