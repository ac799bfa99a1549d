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

/** What a worker tells about the machine it runs on. */
export interface Machine {
  readonly hostname: string
  readonly ipAddress: string
  readonly cpuCores: number
  readonly ramGb: number
  readonly gpu: { readonly model: string; readonly vramGb: number } | null
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
  const model = reader.text('GPU_MODEL')
  const vramGb = reader.number('GPU_VRAM_GB', 0, { min: 0 })
  return {
    hostname: hostname(),
    ipAddress: firstAddress(),
    cpuCores: reader.number('CPU_CORES', availableParallelism(), { min: 0 }),
    ramGb: reader.number('RAM_GB', ramGb, { min: 0 }),
    gpu: model === undefined ? null : { model, vramGb },
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

function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return (
    addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '0.0.0.0'
  )
}
