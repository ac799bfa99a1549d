/**
 * What a dispatch asks of a worker's machine (`resourceRequirements`), in the words of any
 * generation. Pure.
 *
 * A word that has no meaning of its own is a property that the worker must have: it is never
 * ignored, so a misspelt requirement is named in the reason and does not run on the wrong machine.
 */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import { entriesOf, isList, listOf, numberOf, textOf, type Machine } from '../workers/machine.ts'
import {
  canAssign,
  firstUnmet,
  hasArtifact,
  isMet,
  isSame,
  isSuchDevice,
  wantedArtifact,
  wantedDevice,
  type WantedDevice,
} from './matching.ts'

/** A reason in words that follow "the worker", in the singular: "has too little VRAM". */
export interface Reason {
  readonly text: string
  /** The numbers to it: "needs 24, has 8". They may differ from worker to worker. */
  readonly numbers?: string
}

interface Asked {
  readonly machine: Machine
  /** The task's type, for requirements on its skill. */
  readonly type: string
  readonly key: string
  readonly want: JsonValue
}

type Check = (asked: Asked) => Reason | null

// A map, since the keys are the authors' choice: `constructor` is a property like any other.
const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['resources', (asked) => allOf(asked, entriesOf(asked.want))],
  ['properties', checkProperties],
  ['gpu_info', checkGpu],
  ['devices', checkDevices],
  ['installed_models', checkArtifacts],
  ['installed_artifacts', checkArtifacts],
  ['installed_software', checkSoftware],
  ['extra_requirements', checkExtra],
  ['skill', checkSkill],
])

/** These are tables of names; anything else in their place is a mistake of the author. */
const TABLES = new Set(['resources', 'properties', 'extra_requirements', 'skill'])

/** The first requirement that the machine does not meet, or `null`. */
export function firstUnmetRequirement(
  machine: Machine,
  { type, resources }: { readonly type: string; readonly resources: JsonObject },
): Reason | null {
  return allOf({ machine, type }, entriesOf(resources))
}

function allOf(
  { machine, type }: Pick<Asked, 'machine' | 'type'>,
  wants: ReadonlyMap<string, JsonValue>,
): Reason | null {
  for (const [key, want] of wants) {
    // Authors of older generations write None for "no such requirement".
    if (want === null) continue
    const asked = { machine, type, key, want }
    const isTable = typeof want === 'object' && !isList(want)
    if (TABLES.has(key) && !isTable) return notUnderstood(asked)
    const reason = (CHECKS.get(key) ?? checkProperty)(asked)
    if (reason !== null) return reason
  }
  return null
}

function checkProperties({ machine, want }: Asked): Reason | null {
  const wants = entriesOf(want)
  const name = firstUnmet(machine.properties, wants)
  return name === undefined ? null : lacking(name, wants.get(name), machine.properties)
}

function checkProperty({ machine, key, want }: Asked): Reason | null {
  return isMet(machine.properties.get(key), want) ? null : lacking(key, want, machine.properties)
}

/** The first generation's way to ask for one graphics card; a bare text is its model. */
function checkGpu(asked: Asked): Reason | null {
  const { want, machine } = asked
  const said = typeof want === 'string' ? { model: want } : want === true ? {} : want
  const wish = typeof said === 'object' ? wantedDevice(said) : undefined
  if (wish === undefined) return notUnderstood(asked)
  return assigned(machine, [{ ...wish, type: 'gpu' }])
}

function checkDevices(asked: Asked): Reason | null {
  const wishes = listOf(asked.want).map(wantedDevice)
  const understood = wishes.filter((wish) => wish !== undefined)
  if (understood.length < wishes.length) return notUnderstood(asked)
  return assigned(asked.machine, understood)
}

function assigned({ devices }: Machine, wishes: readonly WantedDevice[]): Reason | null {
  if (canAssign(devices, wishes)) return null
  for (const wish of wishes) {
    if (canAssign(devices, [wish])) continue
    const such = devices.filter((device) => isSuchDevice(device, wish))
    const best = such.toSorted((a, b) => memoryOf(b) - memoryOf(a))[0]
    const name = best && firstUnmet(best.properties, wish.properties)
    if (best === undefined || name === undefined) return { text: `does not have ${named(wish)}` }
    return lacking(name, wish.properties.get(name), best.properties)
  }
  return { text: 'does not have enough devices', numbers: `needs ${wishes.length}` }
}

function memoryOf({ properties }: { readonly properties: ReadonlyMap<string, JsonValue> }): number {
  return numberOf(properties.get('vram_gb')) ?? -Infinity
}

function named({ type, model, id }: WantedDevice): string {
  const kind = type === 'gpu' ? 'a GPU' : type === null ? 'a device' : `a device '${shown(type)}'`
  const exact = id === null ? '' : ` with the id '${shown(id)}'`
  return model === null ? `${kind}${exact}` : `${kind} '${shown(model)}'${exact}`
}

function checkArtifacts(asked: Asked): Reason | null {
  const kind = asked.key === 'installed_models' ? 'model' : 'artifact'
  for (const value of listOf(asked.want)) {
    const wish = wantedArtifact(value)
    if (wish === undefined) return notUnderstood(asked)
    if (hasArtifact(asked.machine.artifacts, wish)) continue
    const version = wish.version === null ? '' : ` ${shown(wish.version)}`
    return { text: `does not have the ${kind} '${shown(wish.name)}'${version}` }
  }
  return null
}

/** Versions by name; a bare name, `any` and null take every version. */
function checkSoftware(asked: Asked): Reason | null {
  const { machine, want } = asked
  const isTable = typeof want === 'object' && !isList(want)
  const pairs = isTable
    ? [...entriesOf(want)]
    : listOf(want).map((name): [string | null, JsonValue] => [textOf(name), 'any'])
  for (const [name, version] of pairs) {
    if (name === null) return notUnderstood(asked)
    const have = machine.software.get(name)
    if (have === undefined) return { text: `does not have the software '${shown(name)}'` }
    if (version === null || version === 'any' || isSame(have, version)) continue
    const text = `has another version of '${shown(name)}'`
    return { text, numbers: `needs ${shown(version)}, has ${shown(have)}` }
  }
  return null
}

/** What the worker has here is not shown: operators put anything into it. */
function checkExtra({ machine, want }: Asked): Reason | null {
  for (const [name, value] of entriesOf(want)) {
    const have = machine.extra.get(name)
    if (value === null || (have !== undefined && isSame(have, value))) continue
    const text = have === undefined ? 'does not state' : 'has another value for'
    return { text: `${text} '${shown(name)}'`, numbers: `needs ${shown(value)}` }
  }
  return null
}

function checkSkill({ machine, type, want }: Asked): Reason | null {
  const wants = [...entriesOf(want)].filter(([, value]) => value !== null)
  const such = machine.skills.filter((skill) => skill.get('name') === type)
  const isRight = such.some((skill) =>
    wants.every(([name, value]) => {
      const have = skill.get(name) ?? entriesOf(skill.get('properties')).get(name)
      return have !== undefined && isSame(have, value)
    }),
  )
  if (isRight || wants.length === 0) return null
  const fields = wants.map(([name, value]) => `${shown(name)} ${shown(value)}`).join(', ')
  return { text: `does not offer the skill '${shown(type)}' with ${fields}` }
}

const COUNTED: ReadonlyMap<string, string> = new Map([
  ['vram_gb', 'too little VRAM'],
  ['memory_gb', 'too little VRAM'],
  ['ram_gb', 'too little RAM'],
  ['cpu_cores', 'too few CPU cores'],
])

function lacking(
  name: string,
  want: JsonValue | undefined,
  properties: ReadonlyMap<string, JsonValue>,
): Reason {
  const have = properties.get(name)
  const needs = `needs ${shown(want)}`
  if (have === undefined || have === null) {
    return { text: `does not state '${shown(name)}'`, numbers: needs }
  }
  const isNumber = typeof want === 'number' && numberOf(have) !== null
  const what = isNumber
    ? (COUNTED.get(name) ?? `too little '${shown(name)}'`)
    : `another '${shown(name)}'`
  return { text: `has ${what}`, numbers: `${needs}, has ${shown(have)}` }
}

function notUnderstood({ key, want }: Asked): Reason {
  return { text: `does not meet '${shown(key)}', whose form is unknown (${shown(want)})` }
}

/** Short enough for a sentence. */
function shown(value: JsonValue | undefined): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}
