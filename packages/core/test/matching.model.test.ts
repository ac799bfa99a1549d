/** Matching against a model that tries everything (W2). It shares no code with what it checks. */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fits } from '../src/engine/matching/eligibility.ts'
import { schemaIdOf } from '../src/engine/matching/schema-id.ts'
import type { TaskDemand } from '../src/job/task.ts'
import type { WorkerRecord, WorkerSkill } from '../src/ports/worker-record.ts'
import { aWorker } from '../src/testing/builders.ts'

interface Device {
  readonly type: string
  readonly model: string
  readonly properties: { readonly vram_gb: number }
}
interface WantedDevice {
  readonly type?: string
  readonly model?: string
  readonly properties?: { readonly vram_gb: number }
}
interface Artifact {
  readonly name: string
  readonly version?: string
}

interface Machine {
  readonly skills: readonly WorkerSkill[]
  readonly status: string
  readonly isDraining: boolean
  readonly devices: readonly Device[]
  readonly properties: Readonly<Record<string, number | string | readonly string[]>>
  readonly software: Readonly<Record<string, string>>
  readonly artifacts: readonly Artifact[]
  readonly extra: Readonly<Record<string, string>>
  readonly cost: number | null
}

interface Wish {
  readonly version: string | null
  readonly skillType: string | null
  readonly misfits: readonly string[]
  readonly maxCost: number | null
  readonly devices: readonly WantedDevice[]
  readonly properties: Readonly<Record<string, number | string | readonly string[]>>
  readonly software: Readonly<Record<string, string>>
  readonly artifacts: readonly (string | Artifact)[]
  readonly extra: Readonly<Record<string, string>>
}

const SCHEMAS: readonly JsonObject[] = [{ required: ['a'] }, { required: ['b'] }]
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(one, { nil: undefined })
const version = fc.constantFrom('1', '2')
const kind = fc.constantFrom('image', 'video')
const word = fc.constantFrom('a', 'b', 'c')
const amount = fc.constantFrom(1, 2, 4)
const vram = amount.map((vram_gb) => ({ vram_gb }))
const table = fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2'), { maxKeys: 2 })
const property = fc.oneof(amount, word, fc.uniqueArray(word, { maxLength: 2 }))
const properties = fc.dictionary(fc.constantFrom('cpu_cores', 'zone'), property, { maxKeys: 2 })

const machine: fc.Arbitrary<Machine> = fc.record({
  skills: fc.array(
    fc
      .tuple(
        fc.constantFrom('work', 'work', 'play'),
        fc.option(version),
        fc.option(kind),
        maybe(fc.constantFrom(...SCHEMAS)),
      )
      .map(([name, v, type, inputSchema]) => ({
        name,
        version: v,
        type,
        ...(inputSchema && { inputSchema }),
      })),
    { maxLength: 3 },
  ),
  status: fc.constantFrom('idle', 'busy', 'full', 'idle', 'draining', 'offline'),
  isDraining: fc.constantFrom(false, false, false, true),
  devices: fc.array(
    fc.record({
      type: fc.constantFrom('gpu', 'tpu'),
      model: fc.constantFrom('RTX 4090', 'RTX 3060', 'A100'),
      properties: vram,
    }),
    { maxLength: 4 },
  ),
  properties,
  software: table,
  artifacts: fc.array(
    fc
      .tuple(word, maybe(version))
      .map(([name, v]): Artifact => (v === undefined ? { name } : { name, version: v })),
    { maxLength: 3 },
  ),
  extra: table,
  cost: fc.option(amount),
})

/** Mostly nothing is asked for: or nearly no worker would fit nearly any task. */
function rarely<T>(none: T, some: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(none) }, { weight: 1, arbitrary: some })
}

const wantedDevice: fc.Arbitrary<WantedDevice> = fc
  .tuple(
    maybe(fc.constantFrom('gpu', 'TPU')),
    maybe(fc.constantFrom('rtx', '3060', 'a100')),
    maybe(vram),
  )
  .map(([type, model, has]) => ({
    ...(type !== undefined && { type }),
    ...(model !== undefined && { model }),
    ...(has !== undefined && { properties: has }),
  }))
const wantedArtifact = fc.oneof(
  word,
  fc.record({ name: word, version: fc.constantFrom('1', '2', 'unknown') }),
)
const softwareWish = fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('1', 'any'), {
  maxKeys: 1,
})

const wish: fc.Arbitrary<Wish> = fc.record({
  version: rarely<string | null>(null, version),
  skillType: rarely<string | null>(null, kind),
  misfits: rarely<string[]>([], fc.subarray(SCHEMAS.map(schemaIdOf))),
  maxCost: rarely<number | null>(null, amount),
  devices: rarely<WantedDevice[]>([], fc.array(wantedDevice, { maxLength: 3 })),
  properties: rarely<Wish['properties']>({}, properties),
  software: rarely<Wish['software']>({}, softwareWish),
  artifacts: rarely<Wish['artifacts']>([], fc.array(wantedArtifact, { maxLength: 2 })),
  extra: rarely<Wish['extra']>({}, table),
})

function workerOf(one: Machine): WorkerRecord {
  const registration: JsonObject = {
    resources: { devices: one.devices as unknown as JsonValue, properties: one.properties },
    installed_software: one.software,
    installed_artifacts: one.artifacts as unknown as JsonValue,
    capabilities: { extra: one.extra },
    ...(one.cost !== null && { cost_per_second: one.cost }),
  }
  const { skills, status, isDraining } = one
  return aWorker({ skills, status, isDraining, registration })
}

function demandOf(one: Wish): TaskDemand {
  return {
    type: 'work',
    ...(one.version !== null && { skillVersion: one.version }),
    ...(one.skillType !== null && { skillType: one.skillType }),
    ...(one.maxCost !== null && { maxCost: one.maxCost }),
    ...(one.misfits.length > 0 && { misfits: one.misfits }),
    resources: {
      devices: one.devices as unknown as JsonValue,
      properties: one.properties,
      installed_software: one.software,
      installed_artifacts: one.artifacts as unknown as JsonValue,
      extra_requirements: one.extra,
    },
  }
}

// The rules of the protocol, one line each, by trying everything.

function modelFits(have: Machine, want: Wish): boolean {
  const isThere = !have.isDraining && have.status !== 'draining' && have.status !== 'offline'
  return (
    isThere &&
    have.skills.some((skill) => isSkill(skill, want)) &&
    (want.maxCost === null || (have.cost !== null && have.cost <= want.maxCost)) &&
    permutations(have.devices).some((order) =>
      want.devices.every((w, n) => isDevice(order[n], w)),
    ) &&
    Object.entries(want.properties).every(([name, w]) => isProperty(have.properties[name], w)) &&
    Object.entries(want.software).every(
      ([name, w]) => name in have.software && (w === 'any' || have.software[name] === w),
    ) &&
    want.artifacts.every((w) => have.artifacts.some((h) => isArtifact(h, w))) &&
    Object.entries(want.extra).every(([name, w]) => have.extra[name] === w)
  )
}

function isSkill(skill: WorkerSkill, want: Wish): boolean {
  if (skill.name !== 'work') return false
  if (want.version !== null && skill.version !== want.version) return false
  if (want.skillType !== null && skill.type !== want.skillType) return false
  return !want.misfits.some(
    (id) => skill.inputSchema !== undefined && id === schemaIdOf(skill.inputSchema),
  )
}

function isDevice(have: Device | undefined, want: WantedDevice): boolean {
  if (have === undefined) return false
  if (want.type !== undefined && want.type.toLowerCase() !== have.type) return false
  if (!have.model.toLowerCase().includes((want.model ?? '').toLowerCase())) return false
  return have.properties.vram_gb >= (want.properties?.vram_gb ?? 0)
}

function isProperty(
  have: Machine['properties'][string] | undefined,
  want: Machine['properties'][string],
): boolean {
  if (have === undefined) return false
  if (typeof want === 'object') {
    const own: readonly unknown[] = typeof have === 'object' ? have : [have]
    return want.some((one) => own.map(String).includes(one))
  }
  if (typeof have === 'object') return have.includes(String(want))
  if (typeof want === 'number') return typeof have === 'number' && have >= want
  return have === want
}

function isArtifact(have: Artifact, want: string | Artifact): boolean {
  if (typeof want === 'string') return have.name === want
  if (have.name !== want.name) return false
  return want.version === 'unknown' || have.version === want.version
}

function permutations<T>(all: readonly T[]): readonly (readonly T[])[] {
  if (all.length === 0) return [[]]
  return all.flatMap((one, n) =>
    permutations([...all.slice(0, n), ...all.slice(n + 1)]).map((rest) => [one, ...rest]),
  )
}

it('a worker fits a task exactly if the rules of the protocol say so', () => {
  let fitting = 0
  fc.assert(
    fc.property(machine, wish, (have, want) => {
      const expected = modelFits(have, want)
      if (expected) fitting += 1
      expect(fits(workerOf(have), demandOf(want))).toBe(expected)
    }),
    { numRuns: 10_000 },
  )
  // Both answers must come up, or nothing was checked.
  expect(fitting).toBeGreaterThan(500)
})
