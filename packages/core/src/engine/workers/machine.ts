/** What a worker has besides its skills, whatever generation it speaks, as matching needs it. */
import { isJsonObject, type JsonObject, type JsonValue } from '@avtomatika/protocol'

/** A device, or a card of the first generation's `gpu_info`. */
export interface MachineDevice {
  /** In lower case; empty when the worker does not say. */
  readonly type: string
  readonly model: string
  readonly id: string | null
  /** Everything else that is said of it. */
  readonly properties: ReadonlyMap<string, JsonValue>
}

/** A model or another artifact. */
export interface MachineArtifact {
  readonly name: string
  readonly version: string | null
  readonly properties: ReadonlyMap<string, JsonValue>
}

export interface Machine {
  readonly devices: readonly MachineDevice[]
  readonly artifacts: readonly MachineArtifact[]
  /** `cpu_cores`, `ram_gb` and what else the worker counts. */
  readonly properties: ReadonlyMap<string, JsonValue>
  readonly software: ReadonlyMap<string, JsonValue>
  readonly extra: ReadonlyMap<string, JsonValue>
  /** The worker's descriptions of its skills. */
  readonly skills: readonly ReadonlyMap<string, JsonValue>[]
  /** What a task of this type costs; infinite when the worker does not say. */
  readonly costOf: (type: string) => number
}

const OWN_WORDS = new Set(['devices', 'gpu_info', 'properties'])

const read = new WeakMap<JsonObject, Machine>()

/** Reads a registration, once per registration: heartbeats leave it as it is. */
export function machineOf({ registration }: { readonly registration: JsonObject }): Machine {
  const known = read.get(registration)
  if (known !== undefined) return known
  const machine = readMachine(registration)
  read.set(registration, machine)
  return machine
}

function readMachine(registration: JsonObject): Machine {
  const said = entriesOf(registration)
  const resources = entriesOf(said.get('resources'))
  const capabilities = entriesOf(said.get('capabilities'))
  const lists = ['installed_models', 'installed_artifacts'].map((name) => said.get(name))
  const flat = [...resources].filter(([name]) => !OWN_WORDS.has(name))
  return {
    devices: readDevices(resources),
    artifacts: lists.flatMap(listOf).map(readArtifact),
    properties: new Map([...flat, ...entriesOf(resources.get('properties'))]),
    software: entriesOf(said.get('installed_software')),
    extra: new Map([...capabilities, ...entriesOf(capabilities.get('extra'))]),
    skills: [...listOf(said.get('supported_tasks')), ...listOf(said.get('supported_skills'))].map(
      entriesOf,
    ),
    costOf: readCosts(said, capabilities),
  }
}

/** The card of the first generation counts as a device, unless the devices name one. */
function readDevices(resources: ReadonlyMap<string, JsonValue>): MachineDevice[] {
  const devices = listOf(resources.get('devices')).map((device) => readDevice(entriesOf(device)))
  const card = entriesOf(resources.get('gpu_info'))
  if (card.size === 0 || devices.some(({ type }) => type === 'gpu')) return devices
  return [...devices, readDevice(new Map<string, JsonValue>([...card, ['type', 'gpu']]))]
}

function readDevice(said: ReadonlyMap<string, JsonValue>): MachineDevice {
  const properties = new Map([...said, ...entriesOf(said.get('properties'))])
  // Each generation has its own word for the memory of a card.
  const memory = properties.get('vram_gb') ?? properties.get('memory_gb')
  if (memory !== undefined) properties.set('vram_gb', memory).set('memory_gb', memory)
  return {
    type: textOf(said.get('type'))?.toLowerCase() ?? '',
    model: textOf(said.get('model')) ?? '',
    id: textOf(said.get('id')) ?? textOf(said.get('unit_id')),
    properties,
  }
}

function readArtifact(value: JsonValue): MachineArtifact {
  if (typeof value === 'string') return { name: value, version: null, properties: new Map() }
  const said = entriesOf(value)
  return {
    name: textOf(said.get('name')) ?? '',
    version: textOf(said.get('version')),
    properties: new Map([...said, ...entriesOf(said.get('properties'))]),
  }
}

/** By skill, else per second, else the first generation's one number. */
function readCosts(
  said: ReadonlyMap<string, JsonValue>,
  capabilities: ReadonlyMap<string, JsonValue>,
): (type: string) => number {
  const bySkill = new Map([
    ...entriesOf(said.get('cost')),
    ...entriesOf(capabilities.get('cost_per_skill')),
  ])
  const general = numberOf(said.get('cost_per_second')) ?? numberOf(said.get('cost')) ?? Infinity
  return (type) => numberOf(bySkill.get(type)) ?? general
}

/** The members of an object; none of anything else. A map, since names are the peers' choice. */
export function entriesOf(value: unknown): ReadonlyMap<string, JsonValue> {
  return new Map(isJsonObject(value) ? Object.entries(value as JsonObject) : [])
}

/** A list's items; a single value counts as a list of one. */
export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined || value === null) return []
  return isList(value) ? value : [value]
}

/** Like `Array.isArray`, which does not tell the compiler of readonly arrays. */
export function isList(value: unknown): value is readonly JsonValue[] {
  return Array.isArray(value)
}

/** Names and versions, also those that somebody wrote as numbers. */
export function textOf(value: JsonValue | undefined): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' ? String(value) : null
}

/** Numbers, also those that came out of an environment variable as texts. */
export function numberOf(value: JsonValue | undefined): number | null {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || value.trim() === '') return null
  const number = Number(value)
  return Number.isFinite(number) ? number : null
}
