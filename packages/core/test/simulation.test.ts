import { describe, expect, it } from 'vitest'
import { runSchedule } from '../src/testing/simulation/world.ts'

const FIRST = Number(process.env['SIMULATION_SEED'] ?? 1)
const SCHEDULES = Number(process.env['SIMULATION_SCHEDULES'] ?? 5_000)

describe('the simulated world', () => {
  it(`keeps every promise in ${String(SCHEDULES)} schedules`, { timeout: 600_000 }, async () => {
    for (let seed = FIRST; seed < FIRST + SCHEDULES; seed += 1) {
      const { violations, plan } = await runSchedule(seed)
      expect(violations, `SIMULATION_SEED=${String(seed)} ${JSON.stringify(plan)}`).toEqual([])
    }
  })

  it('takes the same course for the same seed', async () => {
    expect(await runSchedule(7)).toEqual(await runSchedule(7))
  })
})
