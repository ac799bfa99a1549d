import { availableParallelism, hostname, networkInterfaces, totalmem } from 'node:os'

import { isJsonObject } from '@avtomatika/protocol'

import { parseJson, type SettingsReader } from './environment.ts'

/** A model or another artifact that is installed. */
export interface InstalledArtifact {
  readonly name: string
  readonly version?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, unknown>>
}

/** A piece of hardware that tasks may ask for. */
export interface Device {
  readonly type: string
  readonly model?: string
  readonly id?: string
  readonly properties?: Readonly<Record<string, unknown>>
}

/** What a worker tells about the machine it runs on. */
export interface Machine {
  readonly hostname: string
  readonly ipAddress: string
  readonly cpuCores: number
  readonly ramGb: number
  readonly gpu: { readonly model: string; readonly vramGb: number } | null
  /** The GPU, if any, and what else there is. */
  readonly devices: readonly Device[]
  readonly installedSoftware: Readonly<Record<string, unknown>>
  readonly installedModels: readonly InstalledArtifact[]
  readonly installedArtifacts: readonly InstalledArtifact[]
  readonly costPerSkill: Readonly<Record<string, number>>
  readonly extra: Readonly<Record<string, unknown>>
}

const GIB = 1024 ** 3

/** Reads the facts of this machine; the environment may say otherwise. */
export function readMachine(reader: SettingsReader): Machine {
  const ramGb = Math.round((totalmem() / GIB) * 10) / 10
  const gpu = readGpu(reader)
  return {
    hostname: hostname(),
    ipAddress: firstAddress(),
    cpuCores: reader.number('CPU_CORES', availableParallelism(), { min: 0 }),
    ramGb: reader.number('RAM_GB', ramGb, { min: 0 }),
    gpu,
    devices: readDevices(reader, gpu),
    installedSoftware: reader.json(
      'INSTALLED_SOFTWARE',
      { node: process.versions.node },
      isJsonObject,
      'a JSON object such as {"ffmpeg":"7.1"}',
    ),
    installedModels: readArtifacts(reader, 'INSTALLED_MODELS'),
    installedArtifacts: readArtifacts(reader, 'INSTALLED_ARTIFACTS'),
    costPerSkill: reader.json(
      'COST_PER_SKILL',
      {},
      isCostTable,
      'a JSON object of numbers such as {"resize":0.02}',
    ),
    extra: readExtra(reader),
  }
}

function readGpu(reader: SettingsReader): Machine['gpu'] {
  const model = reader.text('GPU_MODEL')
  const vramGb = reader.number('GPU_VRAM_GB', 0, { min: 0 })
  return model === undefined ? null : { model, vramGb }
}

function readDevices(reader: SettingsReader, gpu: Machine['gpu']): readonly Device[] {
  const expected =
    'a JSON list such as [{"type":"gpu","model":"A100","properties":{"memory_gb":80}}]'
  const listed = reader.json('WORKER_DEVICES', [], isDeviceList, expected)
  if (gpu === null) return listed
  const id = reader.text('GPU_ID') ?? '0'
  const properties = { memory_gb: gpu.vramGb }
  return [{ type: 'gpu', model: gpu.model, id, properties }, ...listed]
}

function readArtifacts(reader: SettingsReader, variable: string): readonly InstalledArtifact[] {
  const expected = 'a JSON list such as [{"name":"llama","version":"3"}]'
  return reader.json(variable, [], isArtifactList, expected)
}

function readExtra(reader: SettingsReader): Record<string, unknown> {
  const entries = reader.withPrefix('WORKER_EXTRA_').map(([name, text]): [string, unknown] => {
    const isJson = /^\s*[{[]/.test(text)
    return [name.toLowerCase(), (isJson ? parseJson(text) : undefined) ?? text]
  })
  return Object.fromEntries<unknown>(entries)
}

function isCostTable(value: unknown): value is Record<string, number> {
  return isJsonObject(value) && Object.values(value).every((cost) => typeof cost === 'number')
}

function isArtifactList(value: unknown): value is InstalledArtifact[] {
  return Array.isArray(value) && value.every(isArtifact)
}

function isArtifact(value: unknown): boolean {
  if (!isJsonObject(value) || typeof value['name'] !== 'string') return false
  const { version, type, properties } = value
  const areTexts = [version, type].every((text) => text == null || typeof text === 'string')
  return areTexts && (properties == null || isJsonObject(properties))
}

function isDeviceList(value: unknown): value is Device[] {
  return Array.isArray(value) && value.every(isDevice)
}

function isDevice(value: unknown): boolean {
  if (!isJsonObject(value) || typeof value['type'] !== 'string') return false
  const { model, id, properties } = value
  const areTexts = [model, id].every((text) => text == null || typeof text === 'string')
  return areTexts && (properties == null || isJsonObject(properties))
}

function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return (
    addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '0.0.0.0'
  )
}
