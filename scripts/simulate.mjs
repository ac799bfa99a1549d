/**
 * Plays simulated schedules until one breaks a promise, or for ever:
 *
 *   pnpm run simulate                          from seed 1 on, without end
 *   pnpm run simulate --seed 4711              from this seed on
 *   pnpm run simulate --seed 4711 --schedules 1    that one course of events again
 *   pnpm run simulate --random                 from a seed drawn by chance
 *
 * Ends with exit code 1 at the first broken promise, naming its seed; with 0 when told to stop.
 */
import { parseArgs } from 'node:util'
import { runSchedule } from '../packages/core/src/testing/simulation/world.ts'

const MAX_SEED = 2 ** 32
const REPORT_EVERY_MS = 30_000

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    schedules: { type: 'string', default: 'Infinity' },
    random: { type: 'boolean', default: false },
  },
})

const first = Number(values.seed ?? (values.random ? Math.floor(Math.random() * MAX_SEED) : 1))
const schedules = Number(values.schedules)
if (!Number.isInteger(first) || first < 0 || !(schedules > 0)) {
  console.error('--seed is a whole number of 0 or more, --schedules a number of 1 or more.')
  process.exit(2)
}

let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    isStopping = true
  })
}

const startedAt = performance.now()
let reportedAt = startedAt
let played = 0
let jobs = 0

function report(what) {
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.log(`${what}: ${played} schedules, ${jobs} jobs, ${seconds} s, from seed ${first}`)
}

while (played < schedules && !isStopping) {
  const seed = (first + played) % MAX_SEED
  const { violations, plan, jobs: created } = await runSchedule(seed)
  played += 1
  jobs += created
  if (violations.length > 0) {
    console.error(`Seed ${seed} breaks what was promised:`)
    for (const violation of violations) console.error(`  ${violation}`)
    console.error(`Plan: ${JSON.stringify(plan)}`)
    console.error(`Again: pnpm run simulate --seed ${seed} --schedules 1`)
    process.exit(1)
  }
  if (performance.now() - reportedAt > REPORT_EVERY_MS) {
    reportedAt = performance.now()
    report('so far')
  }
}
report('every promise kept')
