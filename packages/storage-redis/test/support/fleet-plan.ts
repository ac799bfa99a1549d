/** A fleet of mixed abilities and tasks of mixed demands, the same for the same seed. */
import type { SeededRandom } from '../../../core/src/testing/seeded-random.ts'
import { whyNot } from './fleet-fit.ts'

export interface SkillPlan {
  readonly name: string
  readonly version: string
  readonly type: string
  /** `null`: it names no price. */
  readonly cost: number | null
  /** Most of this skill at a time; `null` for no such limit. */
  readonly limit: number | null
  /** The largest `width` that its input schema takes; `null` for a skill without a schema. */
  readonly widest: number | null
}

export interface DevicePlan {
  readonly type: string
  readonly model: string
  readonly memoryGb: number
}

export interface ThingPlan {
  readonly name: string
  readonly version: string
}

export interface WorkerPlan {
  readonly workerId: string
  /** From 0; another one each time the worker can do something else. */
  readonly revision: number
  readonly slots: number
  readonly skills: readonly SkillPlan[]
  /** Most tasks at a time of one type of skill. */
  readonly typeLimits: Readonly<Record<string, number>>
  readonly cpuCores: number
  readonly ramGb: number
  readonly devices: readonly DevicePlan[]
  readonly software: Readonly<Record<string, string>>
  readonly models: readonly ThingPlan[]
  readonly artifacts: readonly ThingPlan[]
  readonly region: string
  /** Models that it has loaded. */
  readonly hot: readonly string[]
  /** Times that it breaks a contract before the work begins; each costs it 0.2 of its reputation. */
  readonly slips: number
}

export interface WantedDevicePlan {
  readonly type: string
  /** A part of the name, in whatever case. */
  readonly model?: string
  readonly memoryGb?: number
}

export interface TaskPlan {
  readonly n: number
  readonly skill: string
  readonly strategy: string
  readonly priority: number
  /** How long it takes, in ms. */
  readonly ms: number
  readonly width: number
  readonly version?: string
  readonly skillType?: string
  readonly maxCost?: number
  /** In the first generation's words. */
  readonly gpu?: { readonly model?: string; readonly vramGb?: number }
  readonly devices?: readonly WantedDevicePlan[]
  readonly cpuCores?: number
  readonly ramGb?: number
  readonly software?: Readonly<Record<string, string>>
  readonly models?: readonly ThingPlan[]
  readonly artifacts?: readonly ThingPlan[]
  readonly region?: string
}

export const STRATEGIES = [
  'default',
  'round_robin',
  'least_connections',
  'cheapest',
  'best_value',
  'overflow',
] as const

/** A worker that slips so often is trusted with nothing: 1 - 4 × 0.2 is less than 0.3. */
export const TOO_MANY_SLIPS = 4

export const SKILLS = ['resize', 'draw', 'transcribe', 'chat'] as const
/** One or more. */
type Some<T> = readonly [T, ...T[]]

const CARDS: Some<DevicePlan> = [
  { type: 'gpu', model: 'NVIDIA A100-SXM4-80GB', memoryGb: 80 },
  { type: 'gpu', model: 'NVIDIA GeForce RTX 4090', memoryGb: 24 },
  { type: 'gpu', model: 'NVIDIA GeForce RTX 3060', memoryGb: 12 },
]
const BOARD = { type: 'fpga', model: 'Alveo U50', memoryGb: 8 }
const MODELS: Some<ThingPlan> = [
  { name: 'llama', version: '3' },
  { name: 'sdxl', version: '1.0' },
  { name: 'sdxl', version: '1.5' },
]
const DICTIONARIES: Some<ThingPlan> = [
  { name: 'dictionary', version: '2024' },
  { name: 'dictionary', version: '2025' },
]

export function planWorker(
  random: SeededRandom,
  { workerId, revision = 0 }: { readonly workerId: string; readonly revision?: number },
): WorkerPlan {
  const models = MODELS.filter(() => random.chance(0.5))
  return {
    workerId,
    revision,
    slots: random.between(1, 6),
    skills: planSkills(random),
    typeLimits: random.chance(0.4) ? { gpu: random.between(1, 2) } : {},
    cpuCores: random.pick([2, 4, 8, 32]),
    ramGb: random.pick([8, 32, 128]),
    devices: [
      ...Array.from({ length: random.pick([0, 1, 1, 2]) }, () => random.pick(CARDS)),
      ...(random.chance(0.3) ? [BOARD] : []),
    ],
    software: {
      ...(random.chance(0.8) && { ffmpeg: random.pick(['6.1', '7.0']) }),
      ...(random.chance(0.5) && { cuda: '12.4' }),
    },
    models,
    artifacts: DICTIONARIES.filter(() => random.chance(0.4)),
    region: random.pick(['eu', 'us']),
    hot: models.filter(() => random.chance(0.3)).map(({ name }) => name),
    slips: random.pick([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, TOO_MANY_SLIPS]),
  }
}

function planSkills(random: SeededRandom): SkillPlan[] {
  const first = random.pick(SKILLS)
  return SKILLS.filter((name) => name === first || random.chance(0.5)).map((name) => ({
    name,
    version: random.pick(['1', '2']),
    type: random.pick(name === 'resize' ? ['cpu'] : ['gpu', 'gpu', 'cpu']),
    cost: random.chance(0.85) ? random.between(1, 9) / 100 : null,
    limit: random.chance(0.4) ? random.between(1, 2) : null,
    widest: random.pick([null, 512, 2_048]),
  }))
}

/** @param ables - of whom at least two can do each task, whatever becomes of the others. */
export function planTasks(
  random: SeededRandom,
  { count, ables }: { readonly count: number; readonly ables: readonly WorkerPlan[] },
): TaskPlan[] {
  const trusted = ables.filter(({ slips }) => slips < TOO_MANY_SLIPS)
  return Array.from({ length: count }, (_, n) => {
    for (;;) {
      const task = planTask(random, n)
      const fitting = trusted.filter((worker) => whyNot(worker, task) === undefined)
      if (fitting.length >= 2) return task
    }
  })
}

function planTask(random: SeededRandom, n: number): TaskPlan {
  return {
    n,
    skill: random.pick(SKILLS),
    strategy: random.pick(STRATEGIES),
    priority: random.between(0, 2),
    ms: random.between(0, 10),
    width: random.pick([100, 512, 1_000, 4_000]),
    ...(random.chance(0.2) && { version: random.pick(['1', '2']) }),
    ...(random.chance(0.1) && { skillType: random.pick(['cpu', 'gpu']) }),
    ...(random.chance(0.25) && { maxCost: random.between(4, 9) / 100 }),
    ...(random.chance(0.2) && { gpu: planCard(random) }),
    ...(random.chance(0.1) && { devices: planDevices(random) }),
    ...(random.chance(0.15) && { cpuCores: random.pick([2, 4, 8]) }),
    ...(random.chance(0.15) && { ramGb: random.pick([16, 32]) }),
    ...(random.chance(0.15) && { software: { ffmpeg: random.pick(['any', '6.1', '7.0']) } }),
    ...(random.chance(0.15) && { models: [random.pick(MODELS)] }),
    ...(random.chance(0.1) && { artifacts: [random.pick(DICTIONARIES)] }),
    ...(random.chance(0.15) && { region: random.pick(['eu', 'us']) }),
  }
}

function planCard(random: SeededRandom): NonNullable<TaskPlan['gpu']> {
  return {
    ...(random.chance(0.6) && { model: random.pick(['a100', 'RTX 4090', 'nvidia', 'GeForce']) }),
    ...(random.chance(0.6) && { vramGb: random.pick([8, 16, 24]) }),
  }
}

function planDevices(random: SeededRandom): WantedDevicePlan[] {
  const plain = { type: 'gpu' }
  const roomy = { type: 'gpu', memoryGb: 24 }
  const named = { type: 'gpu', model: 'rtx' }
  const board = { type: 'fpga', model: 'u50', memoryGb: 8 }
  return random.pick([[plain, roomy], [named], [board], [plain, board], [plain, plain]])
}
