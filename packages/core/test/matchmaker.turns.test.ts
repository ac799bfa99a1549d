/** Whom turns are offered to where more workers fit than can be named (W5). */
import { expect, it } from 'vitest'
import { Matchmaker } from '../src/engine/matching/matchmaker.ts'
import { Roster } from '../src/engine/workers/roster.ts'
import { aWorker } from '../src/testing/builders.ts'

const WORKERS = 100

it.each([
  ['all tasks demand the same', () => 1],
  ['no two tasks demand the same', (n: number) => n],
])('everybody comes up when %s', (_, cpuCoresOf) => {
  const roster = new Roster({
    changedWorkers: () => Promise.reject(new Error('nobody asks')),
    readReputations: () => Promise.reject(new Error('nobody asks')),
  })
  const clock = { now: () => 0, after: () => () => undefined }
  const matchmaker = new Matchmaker({ roster, clock })
  for (let n = 0; n < WORKERS; n += 1) {
    const registration = { resources: { cpu_cores: 1_000 } }
    const skills = [{ name: 'resize', type: null, version: null }]
    roster.put(aWorker({ workerId: `w-${n}`, skills, registration, expiresAt: 1 }))
  }
  const named = new Set<string>()
  for (let n = 0; n < 2 * WORKERS; n += 1) {
    const demand = { type: 'resize', resources: { cpu_cores: cpuCoresOf(n) } }
    const task = { taskId: `t-${n}`, demand, strategy: 'round_robin' }
    const reservation = matchmaker.reservationFor(task as never)
    for (const { workerId } of reservation?.candidates ?? []) named.add(workerId)
  }
  expect(named.size).toBe(WORKERS)
})
