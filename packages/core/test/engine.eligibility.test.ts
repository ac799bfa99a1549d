/** Which worker can take a task, and what is said when none can. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fits, mismatch, startable } from '../src/engine/matching/eligibility.ts'
import { shortageOf } from '../src/engine/matching/why-nobody-fits.ts'
import type { TaskDemand } from '../src/job/task.ts'
import type { WorkerRecord } from '../src/ports/worker-record.ts'
import { aWorker } from '../src/testing/builders.ts'

const FIRST: JsonObject = {
  supported_tasks: ['resize'],
  resources: { cpu_cores: 8, gpu_info: { model: 'NVIDIA RTX 3070', vram_gb: 8 } },
  installed_models: [{ name: 'sdxl', version: '1.0' }, 'llama'],
  installed_software: { ffmpeg: '6.1', blender: 4 },
  cost_per_second: 0.5,
}
const LATER: JsonObject = {
  supported_skills: [{ name: 'resize', version: '2', price: 3, properties: { colour: true } }],
  resources: {
    properties: { cpu_cores: 16, ram_gb: 64, os: 'linux', regions: ['eu', 'us'] },
    devices: [
      { type: 'gpu', model: 'RTX 4090', id: 'g0', properties: { vram_gb: 24 } },
      { type: 'gpu', model: 'RTX 3060', properties: { memory_gb: 12, cuda: '12.4' } },
      { type: 'tpu', model: 'v5e' },
    ],
  },
  installed_artifacts: [{ name: 'llama', version: '3', properties: { bits: 8 } }],
  capabilities: { cost_per_skill: { resize: 2 }, hostname: 'h', extra: { rack: '7', ssd: 'true' } },
}

function worker(registration: JsonObject, fields: Partial<WorkerRecord> = {}): WorkerRecord {
  return aWorker({ registration, ...fields })
}

function why(registration: JsonObject, resources: JsonObject): string | null {
  return mismatch(worker(registration), { type: 'resize', resources })?.text ?? null
}

describe('a worker with the skill', () => {
  const skills = [
    { name: 'resize', type: 'image', version: '1' },
    { name: 'resize', type: 'video', version: '2' },
  ]
  it.each<[string, Omit<TaskDemand, 'type'>, string | null]>([
    ['its name is enough', {}, null],
    ['its version', { skillVersion: '2' }, null],
    ['another version', { skillVersion: '3' }, 'version'],
    ['its type', { skillType: 'image' }, null],
    ['another type', { skillType: 'audio' }, 'skill_type'],
    ['version and type of two skills', { skillVersion: '2', skillType: 'image' }, 'skill_type'],
  ])('%s', (_, demand, kind) => {
    const candidate = worker({}, { skills })
    expect(mismatch(candidate, { type: 'resize', ...demand })?.kind ?? null).toBe(kind)
    expect(fits(candidate, { type: 'resize', ...demand })).toBe(kind === null)
  })

  it('has no version for a task that wants one, if it does not say', () => {
    const reason = mismatch(worker({}), { type: 'resize', skillVersion: '1' })
    expect(reason?.text).toBe("does not offer version 1 of 'resize' (has none)")
  })

  // D-44: only idle workers were eligible; a busy one may have slots left.
  it.each([
    ['idle', null],
    ['busy', null],
    ['full', null],
    ['draining', 'draining'],
    ['offline', 'offline'],
  ])('that is %s (D-44)', (status, kind) => {
    expect(mismatch(worker({}, { status }), { type: 'resize' })?.kind ?? null).toBe(kind)
  })

  it('counts only with the skills that it can start now', () => {
    const left = startable(worker({}, { skills }), ['crop'])
    expect(fits(left, { type: 'resize' })).toBe(false)
    expect(fits(startable(worker({}, { skills }), undefined), { type: 'resize' })).toBe(true)
  })
})

// One generation ignored the requirements that another generation's blueprints wrote.
describe('requirements that are met', () => {
  it.each<[string, JsonObject, JsonObject]>([
    ['none', FIRST, {}],
    ['none, as older authors write it', FIRST, { gpu_info: null, installed_models: null }],
    ['part of a model, in any case', FIRST, { gpu_info: { model: 'rtx 30', vram_gb: 8 } }],
    ['any card', FIRST, { gpu_info: true }],
    ['a card by its model alone', LATER, { gpu_info: 'rtx 4090' }],
    ['a card asked for the old way, among devices', LATER, { gpu_info: { vram_gb: 24 } }],
    ['a card under its other word for memory', LATER, { gpu_info: { model: '3060', vram_gb: 12 } }],
    ['a device asked for the new way, in gpu_info', FIRST, { devices: [{ type: 'gpu' }] }],
    ['a device by id', LATER, { devices: { type: 'GPU', id: 'g0' } }],
    ['as many devices as there are', LATER, { devices: ['gpu', 'gpu', 'tpu'] }],
    [
      'a picky wish after a plain one',
      LATER,
      { devices: [{ type: 'gpu' }, { type: 'gpu', model: '4090' }] },
    ],
    [
      'properties of a device',
      LATER,
      { resources: { devices: [{ type: 'gpu', properties: { memory_gb: 10, cuda: '12.4' } }] } },
    ],
    ['numbers at the top', LATER, { cpu_cores: 16, ram_gb: 32 }],
    ['numbers below resources', FIRST, { resources: { cpu_cores: 4 } }],
    ['numbers below properties', LATER, { resources: { properties: { ram_gb: 64 } } }],
    ['any of a list', LATER, { properties: { os: ['bsd', 'linux'], regions: ['asia', 'us'] } }],
    ['one that is in the list of the worker', LATER, { properties: { regions: 'eu' } }],
    ['models by name and by version', FIRST, { installed_models: ['llama', { name: 'sdxl' }] }],
    ['a model by version', FIRST, { installed_models: [{ name: 'sdxl', version: '1.0' }] }],
    [
      'an unknown version wants any',
      LATER,
      { installed_models: [{ name: 'llama', version: 'unknown' }] },
    ],
    [
      'an artifact with its properties',
      LATER,
      { installed_artifacts: [{ name: 'llama', properties: { bits: 4 } }] },
    ],
    ['software of any version', FIRST, { installed_software: { ffmpeg: 'any', blender: '4' } }],
    ['software by name', FIRST, { installed_software: ['ffmpeg'] }],
    [
      'extras, also where a text says what a number or a boolean means',
      LATER,
      { extra_requirements: { rack: 7, ssd: true, hostname: 'h' } },
    ],
    ['fields of the skill', LATER, { skill: { price: 3, colour: true } }],
  ])('%s', (_, registration, resources) => {
    expect(why(registration, resources)).toBeNull()
  })
})

describe('requirements that are not met', () => {
  it.each<[string, JsonObject, JsonObject, string]>([
    ['VRAM', FIRST, { gpu_info: { vram_gb: 24 } }, 'has too little VRAM (needs 24, has 8)'],
    [
      'VRAM, of the largest card',
      LATER,
      { gpu_info: { vram_gb: 48 } },
      'has too little VRAM (needs 48, has 24)',
    ],
    ['a model of card', FIRST, { gpu_info: { model: 'A100' } }, "does not have a GPU 'A100'"],
    ['a card at all', {}, { gpu_info: { vram_gb: 1 } }, 'does not have a GPU'],
    ['a kind of device', FIRST, { devices: [{ type: 'tpu' }] }, "does not have a device 'tpu'"],
    [
      'one card for two wishes',
      FIRST,
      { devices: ['gpu', 'gpu'] },
      'does not have enough devices (needs 2)',
    ],
    ['cores', FIRST, { cpu_cores: 9 }, 'has too few CPU cores (needs 9, has 8)'],
    [
      'memory that is not stated',
      FIRST,
      { resources: { ram_gb: 1 } },
      "does not state 'ram_gb' (needs 1)",
    ],
    [
      'another text',
      LATER,
      { properties: { os: 'bsd' } },
      "has another 'os' (needs bsd, has linux)",
    ],
    ['a model', FIRST, { installed_models: ['sdxl', 'flux'] }, "does not have the model 'flux'"],
    [
      'a version of a model',
      FIRST,
      { installed_models: [{ name: 'sdxl', version: '2' }] },
      "does not have the model 'sdxl' 2",
    ],
    [
      'an artifact',
      LATER,
      { installed_artifacts: [{ name: 'llama', properties: { bits: 16 } }] },
      "does not have the artifact 'llama'",
    ],
    [
      'software',
      FIRST,
      { installed_software: { gimp: 'any' } },
      "does not have the software 'gimp'",
    ],
    [
      'a version of software',
      FIRST,
      { installed_software: { ffmpeg: '7' } },
      "has another version of 'ffmpeg' (needs 7, has 6.1)",
    ],
    [
      'an extra that is not there',
      FIRST,
      { extra_requirements: { rack: 7 } },
      "does not state 'rack' (needs 7)",
    ],
    [
      "an extra, and the worker's value stays its own",
      LATER,
      { extra_requirements: { rack: 8 } },
      "has another value for 'rack' (needs 8)",
    ],
    [
      'a field of the skill',
      LATER,
      { skill: { price: 4 } },
      "does not offer the skill 'resize' with price 4",
    ],
    // An unknown word was ignored, and the task ran on the wrong machine.
    [
      'a misspelt requirement',
      LATER,
      { gpuinfo: { vram_gb: 1 } },
      'does not state \'gpuinfo\' (needs {"vram_gb":1})',
    ],
    [
      'a word that every object has',
      LATER,
      { constructor: 1 },
      "does not state 'constructor' (needs 1)",
    ],
    [
      'a form that nobody knows',
      LATER,
      { installed_models: [5] },
      "does not meet 'installed_models', whose form is unknown ([5])",
    ],
    [
      'a table that is none',
      LATER,
      { resources: 5 },
      "does not meet 'resources', whose form is unknown (5)",
    ],
  ])('%s', (_, registration, resources, text) => {
    expect(why(registration, resources)).toBe(text)
  })

  it('are compared with a registration whose numbers are texts', () => {
    const said = { resources: { gpu_info: { model: 'x', vram_gb: '24' }, cpu_cores: ' 4 ' } }
    expect(why(said, { gpu_info: { vram_gb: 20 }, cpu_cores: 4 })).toBeNull()
    expect(why(said, { gpu_info: { vram_gb: 25 } })).toContain('needs 25, has 24')
  })
})

describe('the cost of a task', () => {
  it.each<[string, JsonObject, number, string | null]>([
    [
      'by skill goes before all',
      { ...LATER, cost_per_second: 0.1 },
      1,
      'costs too much (at most 1, asks 2)',
    ],
    ['exactly at the limit is fine', LATER, 2, null],
    ['per second, where the skill has none', FIRST, 0.5, null],
    [
      'per second goes before the oldest field',
      { cost_per_second: 2, cost: 1 },
      1,
      'costs too much (at most 1, asks 2)',
    ],
    ['in the oldest field', { cost: 1 }, 1, null],
    [
      'by skill in the oldest field',
      { cost: { resize: 3 } },
      2,
      'costs too much (at most 2, asks 3)',
    ],
    ['of nothing is a price', { cost: 0 }, 0, null],
    ['that is not named is too high', {}, 1_000_000, "does not say what 'resize' costs"],
  ])('%s', (_, registration, maxCost, text) => {
    expect(mismatch(worker(registration), { type: 'resize', maxCost })?.text ?? null).toBe(text)
  })

  it('does not matter to a task without a limit', () => {
    expect(fits(worker({}), { type: 'resize' })).toBe(true)
  })
})

describe('why nobody fits', () => {
  const demand: TaskDemand = { type: 'resize', resources: { gpu_info: { vram_gb: 24 } } }
  const cropper = aWorker({ skills: [{ name: 'crop', type: null, version: null }] })
  const small = worker(FIRST)
  const big = worker(LATER)
  const card = (vram: number): WorkerRecord =>
    worker({ resources: { gpu_info: { model: 'x', vram_gb: vram } } })
  const full = (): boolean => true

  it.each<[string, readonly WorkerRecord[], string]>([
    ['nobody is there', [], 'no worker is registered'],
    ['one worker', [cropper], "the only worker does not offer the skill 'resize'"],
    [
      'the most frequent reason first',
      [small, cropper, cropper],
      "of 3 workers, 2 do not offer the skill 'resize', 1 has too little VRAM (needs 24, has 8)",
    ],
    ['numbers that differ are left out', [small, card(12)], 'of 2 workers, 2 have too little VRAM'],
    [
      'leaving, of those who could',
      [
        { ...big, status: 'draining' },
        { ...big, status: 'draining' },
        { ...cropper, status: 'draining' },
      ],
      "of 3 workers, 2 are draining, 1 does not offer the skill 'resize'",
    ],
    [
      'full ones',
      [{ ...big, status: 'full' }, { ...big, status: 'full' }, small],
      '2 workers fit, but all are full',
    ],
    [
      'full by what they work on',
      [{ ...big, maxConcurrentTasks: 1, currentTasks: ['t'] }],
      '1 worker fits, but is full',
    ],
    ['silent ones', [big, small], '1 worker fits, but did not ask for a task'],
    [
      'full and silent ones',
      [big, { ...big, status: 'full' }],
      '2 workers fit, but 1 is full, 1 did not ask for a task',
    ],
  ])('%s', (_, workers, text) => {
    expect(shortageOf(workers, demand).text).toBe(text)
  })

  it('asks the caller who is full, if the caller knows', () => {
    expect(shortageOf([big, big], demand, { isFull: full }).text).toBe(
      '2 workers fit, but all are full',
    )
  })

  it('stays a sentence, however many reasons there are', () => {
    const wants = Array.from({ length: 50 }, (_, i) => `model-${i}`)
    const workers = wants.map((_, i) => worker({ installed_models: wants.slice(0, i) }))
    const resources = { installed_models: wants }
    const { text } = shortageOf(workers, { type: 'resize', resources })
    expect(text).toMatch(/^of 50 workers, (1 [^,]+, ){4}46 do not fit for other reasons$/)
  })
})

describe('any registration and any demand', () => {
  const names = fc.constantFrom(
    ...['resources', 'gpu_info', 'devices', 'properties', 'installed_models', 'installed_software'],
    ...['installed_artifacts', 'extra_requirements', 'extra', 'capabilities', 'skill', 'cost'],
    ...['cost_per_skill', 'supported_skills', 'vram_gb', 'model', 'type', 'name', 'version'],
    ...['__proto__', 'constructor', 'resize'],
  )
  const { json } = fc.letrec<{ json: JsonValue; list: JsonValue[]; table: JsonObject }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.constantFrom<JsonValue>(null, true, 0, 24, -1, '24', '', 'any', 'gpu', 'resize'),
      tie('list'),
      tie('table'),
    ),
    list: fc.array(tie('json'), { maxLength: 4 }),
    table: fc.dictionary(names, tie('json'), { maxKeys: 8 }),
  }))
  const tables = fc.dictionary(names, json, { maxKeys: 8 })

  it('is answered, with a reason exactly when it does not fit, and twice the same', () => {
    const demands = fc.record(
      { resources: tables, maxCost: fc.constantFrom(0, 1) },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(tables, demands, (registration, wanted) => {
        const demand: TaskDemand = { type: 'resize', ...wanted }
        const candidate = worker(registration)
        const reason = mismatch(candidate, demand)
        expect(fits(candidate, demand)).toBe(reason === null)
        expect(mismatch(candidate, demand)).toEqual(reason)
        expect(shortageOf([candidate, candidate], demand).text).toMatch(
          reason === null ? /fit/ : /^of 2 workers, 2 (do|have|are|cost) /,
        )
      }),
      { numRuns: 2_000 },
    )
  })

  it('fits a worker that has more, if it fits one that has less', () => {
    const amounts = fc.record({ cpu: fc.nat(64), ram: fc.nat(64), vram: fc.nat(64) })
    fc.assert(
      fc.property(amounts, amounts, fc.nat(8), (want, have, more) => {
        const machine = (plus: number): WorkerRecord =>
          worker({
            resources: {
              properties: { cpu_cores: have.cpu + plus, ram_gb: have.ram + plus },
              devices: [{ type: 'gpu', properties: { vram_gb: have.vram + plus } }],
            },
          })
        const resources = {
          cpu_cores: want.cpu,
          ram_gb: want.ram,
          gpu_info: { vram_gb: want.vram },
        }
        const demand = { type: 'resize', resources }
        const isEnough = want.cpu <= have.cpu && want.ram <= have.ram && want.vram <= have.vram
        expect(fits(machine(0), demand)).toBe(isEnough)
        if (isEnough) expect(fits(machine(more), demand)).toBe(true)
      }),
    )
  })
})
