/**
 * When what a worker has meets what a task wants. Pure.
 *
 * Numbers: at least. A list wanted: any of it. A list had: contains it. Else: equal. `null` wants
 * nothing.
 */
import type { JsonValue } from '@avtomatika/protocol'
import { entriesOf, isList, numberOf, textOf } from '../workers/machine.ts'
import type { MachineArtifact, MachineDevice } from '../workers/machine.ts'

type Values = ReadonlyMap<string, JsonValue>

/** Fields of a wanted device or artifact that are not compared as properties. */
const NAMED = new Set(['type', 'model', 'id', 'unit_id', 'name', 'version', 'properties'])

export interface WantedDevice {
  readonly type: string | null
  readonly model: string | null
  readonly id: string | null
  readonly properties: Values
}

export interface WantedArtifact {
  readonly name: string
  readonly version: string | null
  readonly properties: Values
}

/** Whether `have` is as much as `want`. */
export function isMet(have: JsonValue | undefined, want: JsonValue): boolean {
  if (want === null) return true
  if (have === undefined || have === null) return false
  if (isList(want)) {
    return want.some((one) => (isList(have) ? contains(have, one) : isSame(have, one)))
  }
  if (isList(have)) return contains(have, want)
  if (typeof want === 'number') return (numberOf(have) ?? -Infinity) >= want
  return isSame(have, want)
}

/**
 * Equality of JSON. Texts, numbers and booleans are equal when they read the same, since what a
 * worker was told by environment variables is all text.
 */
export function isSame(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true
  if (a === null || b === null) return false
  if (isList(a) || isList(b)) {
    if (!isList(a) || !isList(b) || a.length !== b.length) return false
    return a.every((item, i) => isSame(item, b[i] ?? null))
  }
  if (typeof a !== 'object' || typeof b !== 'object') {
    return typeof a !== 'object' && typeof b !== 'object' && String(a) === String(b)
  }
  const [one, other] = [entriesOf(a), entriesOf(b)]
  if (one.size !== other.size) return false
  return [...one].every(([name, item]) => {
    const counterpart = other.get(name)
    return counterpart !== undefined && isSame(item, counterpart)
  })
}

function contains(list: readonly JsonValue[], want: JsonValue): boolean {
  return list.some((one) => isSame(one, want))
}

/** The name of the first property that is not met, or `undefined`. */
export function firstUnmet(have: Values, want: Values): string | undefined {
  for (const [name, value] of want) if (!isMet(have.get(name), value)) return name
  return undefined
}

/** Reads a wish for a device; `undefined` when it is none. A bare text is the device's type. */
export function wantedDevice(value: JsonValue): WantedDevice | undefined {
  if (typeof value === 'string')
    return { type: value, model: null, id: null, properties: new Map() }
  if (value === null || typeof value !== 'object' || isList(value)) return undefined
  const said = entriesOf(value)
  return {
    type: textOf(said.get('type')),
    model: textOf(said.get('model')),
    id: textOf(said.get('id')) ?? textOf(said.get('unit_id')),
    properties: wantedProperties(said),
  }
}

/** Reads a wish for an artifact; `undefined` when it names none. A bare text is its name. */
export function wantedArtifact(value: JsonValue): WantedArtifact | undefined {
  if (typeof value === 'string') return { name: value, version: null, properties: new Map() }
  const said = entriesOf(value)
  const name = textOf(said.get('name'))
  if (name === null) return undefined
  const version = textOf(said.get('version'))
  return {
    name,
    version: version === 'unknown' ? null : version,
    properties: wantedProperties(said),
  }
}

function wantedProperties(said: Values): Values {
  const flat = [...said].filter(([name, value]) => !NAMED.has(name) && value !== null)
  return new Map([...flat, ...entriesOf(said.get('properties'))])
}

/** Whether this is the kind of device that is wanted, its properties aside. */
export function isSuchDevice(device: MachineDevice, want: WantedDevice): boolean {
  if (want.type !== null && want.type.toLowerCase() !== device.type) return false
  if (want.id !== null && want.id !== device.id) return false
  const { model } = want
  return model === null || device.model.toLowerCase().includes(model.toLowerCase())
}

export function hasArtifact(artifacts: readonly MachineArtifact[], want: WantedArtifact): boolean {
  return artifacts.some(
    (one) =>
      one.name === want.name &&
      (want.version === null || want.version === one.version) &&
      firstUnmet(one.properties, want.properties) === undefined,
  )
}

/**
 * Whether each wish gets a device of its own. Augmenting paths (Kuhn 1955): a plain wish gives way
 * to a picky one if another device will do for it.
 */
export function canAssign(
  devices: readonly MachineDevice[],
  wishes: readonly WantedDevice[],
): boolean {
  if (wishes.length > devices.length) return false
  const holders = new Map<MachineDevice, WantedDevice>()
  const assign = (wish: WantedDevice, seen: Set<MachineDevice>): boolean => {
    for (const device of devices) {
      if (seen.has(device) || !meetsDevice(device, wish)) continue
      seen.add(device)
      const holder = holders.get(device)
      if (holder !== undefined && !assign(holder, seen)) continue
      holders.set(device, wish)
      return true
    }
    return false
  }
  return wishes.every((wish) => assign(wish, new Set()))
}

function meetsDevice(device: MachineDevice, wish: WantedDevice): boolean {
  return isSuchDevice(device, wish) && firstUnmet(device.properties, wish.properties) === undefined
}
