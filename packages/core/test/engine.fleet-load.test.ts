/** 200 workers of mixed abilities and 5 000 tasks with requirements: each ends on a worker that fits. */
import { normaliseResult, type JsonObject } from '@avtomatika/protocol'
import { expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { TaskOptions } from '../src/blueprint/actions.ts'
import type { Engine } from '../src/engine/engine.ts'
import { SeededRandom } from '../src/testing/seeded-random.ts'
import { Hand, OWNER, World } from './support/engine-world.ts'
import { isInProcess, settled } from './support/storage-under-test.ts'

// On a storage outside this process the same, with fewer: it is the rules that are looked at.
const WORKERS = isInProcess() ? 200 : 40
const TASKS = isInProcess() ? 5_000 : 400
const STRATEGIES = [
  'default',
  'round_robin',
  'least_connections',
  'cheapest',
  'best_value',
  'overflow',
]

interface Ability {
  readonly skills: readonly string[]
  readonly vram: number
  readonly software: string
  readonly cost: number
  readonly slots: number
}

interface Need {
  readonly skill: string
  readonly vram: number
  readonly software: string | null
  readonly maxCost: number | null
}

function abilities(random: SeededRandom): Ability[] {
  return Array.from({ length: WORKERS }, (_, n) => ({
    // The first can do everything, so that every task fits somebody.
    skills: n === 0 ? ['a', 'b', 'c'] : random.chance(0.5) ? ['a', 'b'] : ['b', 'c'],
    vram: n === 0 ? 80 : random.pick([0, 8, 24, 80]),
    software: n === 0 || random.chance(0.5) ? '6.1' : '5.0',
    cost: n === 0 ? 1 : random.between(1, 9),
    slots: random.between(1, 8),
  }))
}

function needs(random: SeededRandom): Need[] {
  return Array.from({ length: TASKS }, () => ({
    skill: random.pick(['a', 'b', 'c']),
    vram: random.pick([0, 0, 8, 24]),
    software: random.chance(0.3) ? '6.1' : null,
    maxCost: random.chance(0.3) ? random.between(3, 9) : null,
  }))
}

function isFit(ability: Ability, need: Need): boolean {
  return (
    ability.skills.includes(need.skill) &&
    ability.vram >= need.vram &&
    (need.software === null || ability.software === need.software) &&
    (need.maxCost === null || ability.cost <= need.maxCost)
  )
}

function asking(strategy: string): Blueprint {
  return new Blueprint('load')
    .state('start', { start: true }, ({ actions, initialData }) => {
      const { skill, vram, software, maxCost } = initialData as unknown as Need
      const options: TaskOptions = {
        dispatchStrategy: strategy,
        ...(maxCost !== null && { maxCost }),
        resourceRequirements: {
          ...(vram > 0 && { gpu_info: { vram_gb: vram } }),
          ...(software !== null && { installed_software: { ffmpeg: software } }),
        },
      }
      actions.dispatchTask({
        type: skill,
        params: {},
        transitions: { success: 'done' },
        ...options,
      })
    })
    .state('done', { end: true })
}

/** Works off tasks until it is told that there are none any more. */
class Runner {
  done = 0
  readonly #engine: Engine
  readonly #hand: Hand
  readonly #slots: number

  constructor(engine: Engine, hand: Hand, slots: number) {
    this.#engine = engine
    this.#hand = hand
    this.#slots = slots
  }

  async run(onTask: (workerId: string, jobId: string) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const handed = await this.#hand.poll(20_000, { max: this.#slots, signal })
      for (const { task } of handed) {
        onTask(this.#hand.workerId, task.jobId)
        this.done += 1
        const body = { job_id: task.jobId, task_id: task.taskId }
        await this.#engine.reportResult(this.#hand.workerId, normaliseResult(body))
      }
    }
  }
}

async function hire(engine: Engine, id: string, ability: Ability): Promise<Runner> {
  const card: JsonObject =
    ability.vram === 0 ? {} : { gpu_info: { model: 'x', vram_gb: ability.vram } }
  const hand = await Hand.hire(engine, id, {
    supported_skills: ability.skills,
    max_concurrent_tasks: ability.slots,
    resources: card,
    installed_software: { ffmpeg: ability.software },
    capabilities: {
      cost_per_skill: Object.fromEntries(ability.skills.map((s) => [s, ability.cost])),
    },
  })
  return new Runner(engine, hand, ability.slots)
}

/** How evenly tasks are spread: the share of the busiest tenth of the workers, and who had any. */
function spread(strategy: string, counts: readonly number[]): string {
  const sorted = counts.toSorted((a, b) => b - a)
  const sum = (some: readonly number[]): number => some.reduce((a, b) => a + b, 0)
  const top = sum(sorted.slice(0, Math.ceil(sorted.length / 10)))
  const share = Math.round((100 * top) / Math.max(1, sum(sorted)))
  const busy = counts.filter((count) => count > 0).length
  return `${strategy}: ${busy}/${counts.length} workers, max ${sorted[0] ?? 0}, busiest tenth ${share} %`
}

it.each(STRATEGIES)(
  '%s: every task ends on a worker that fits, and none is lost',
  { timeout: 120_000 },
  async (strategy) => {
    const random = new SeededRandom(7)
    const world = new World()
    const blueprint = asking(strategy)
    const engine = world.engine(blueprint)
    const able = abilities(random)
    const needed = needs(random)
    const runners = await Promise.all(able.map((ability, n) => hire(engine, `w-${n}`, ability)))
    const over = new AbortController()
    const taken = new Map<string, string>()
    const working = runners.map((runner) =>
      runner.run((workerId, jobId) => taken.set(jobId, workerId), over.signal),
    )
    const wanted = new Map<string, Need>()
    const definition = blueprint.define()
    for (let at = 0; at < needed.length; at += 250) {
      const some = needed.slice(at, at + 250).map(async (need) => {
        const request = { blueprint: definition, initialData: { ...need }, owner: OWNER }
        wanted.set((await engine.createJob(request)).jobId, need)
      })
      await Promise.all(some)
    }
    for (let tries = 0; taken.size < TASKS && tries < 200; tries += 1) {
      await world.clock.advance(300)
      await settled()
    }
    over.abort()
    await world.clock.advance(20_000)
    await Promise.all(working)
    const misplaced = [...wanted].filter(([jobId, need]) => {
      const ability = able[Number(taken.get(jobId)?.slice(2))]
      return ability === undefined || !isFit(ability, need)
    })
    expect(misplaced).toEqual([])
    const ends = await Promise.all([...wanted.keys()].map((jobId) => world.job(jobId)))
    expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['finished']))
    process.stdout.write(
      `${spread(
        strategy,
        runners.map(({ done }) => done),
      )}\n`,
    )
  },
)
