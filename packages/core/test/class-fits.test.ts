/** Which classes a worker fits, remembered (W9): always the same as if each were judged anew. */
import { expect, it } from 'vitest'
import { ClassFits } from '../src/engine/dispatch/class-fits.ts'
import { fits } from '../src/engine/matching/eligibility.ts'
import type { TaskDemand } from '../src/job/task.ts'
import type { WorkerRecord } from '../src/ports/worker-record.ts'
import { aWorker } from '../src/testing/builders.ts'
import { SeededRandom } from '../src/testing/seeded-random.ts'

interface Open {
  readonly demand: TaskDemand
}

function someone(random: SeededRandom): WorkerRecord {
  const skills = ['a', 'b', 'c'].filter(() => random.chance(0.6))
  return aWorker({
    registration: { resources: { cpu_cores: random.between(1, 4) } },
    skills: skills.map((name) => ({ name, type: null, version: random.pick(['1', '2']) })),
  })
}

function something(random: SeededRandom): Open {
  const demand = {
    type: random.pick(['a', 'b', 'c', 'd']),
    ...(random.chance(0.5) && { skillVersion: random.pick(['1', '2']) }),
    ...(random.chance(0.5) && { resources: { cpu_cores: random.between(1, 4) } }),
  }
  return { demand }
}

/** The same worker after something has happened to it; what it said of itself stays, or is another. */
function changed(worker: WorkerRecord, random: SeededRandom): WorkerRecord {
  const anew = someone(random)
  switch (random.between(1, 5)) {
    case 1:
      return { ...worker, skills: anew.skills }
    case 2:
      return { ...worker, isDraining: random.chance(0.5) }
    case 3:
      return { ...worker, status: random.pick(['idle', 'draining', 'offline']) }
    case 4:
      return { ...worker, registration: anew.registration }
    default:
      return { ...worker, skills: worker.skills.slice(1) }
  }
}

it.each([1, 2, 3, 4, 5])('is what judging each class anew says (seed %i)', (seed) => {
  const random = new SeededRandom(seed)
  const remembered = new ClassFits<Open>()
  const open = new Set<Open>()
  const workers = Array.from({ length: 10 }, () => someone(random))
  for (let n = 0; n < 2_000; n += 1) {
    const [first] = open
    if (first !== undefined && random.chance(0.2)) {
      open.delete(first)
      remembered.forget(first)
    } else if (open.size < 50 && random.chance(0.4)) {
      const one = something(random)
      open.add(one)
      remembered.learn(one)
    }
    const i = random.between(0, workers.length - 1)
    const before = workers[i] ?? someone(random)
    const worker = random.chance(0.2) ? changed(before, random) : before
    workers[i] = worker
    const right = [...open].filter(({ demand }) => fits(worker, demand))
    expect(new Set(remembered.of(worker))).toEqual(new Set(right))
  }
})
