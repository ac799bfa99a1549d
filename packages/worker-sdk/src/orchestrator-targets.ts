import { isJsonObject } from '@avtomatika/protocol'

import { parseJson, type SettingsReader } from './environment.ts'

/** An orchestrator to work for. */
export interface OrchestratorOptions {
  readonly url: string
  /** Default: the worker's token. */
  readonly token?: string | undefined
  /** Lower is asked first. Default 10. */
  readonly priority?: number | undefined
  /** Share of the turns in `ROUND_ROBIN`. Default 1. */
  readonly weight?: number | undefined
}

/** An orchestrator to work for, complete and checked. */
export interface OrchestratorTarget {
  /** Without a trailing slash. */
  readonly url: string
  readonly token: string
  readonly priority: number
  readonly weight: number
}

/** Who is asked first when there are fewer free slots than orchestrators; see `PollTurns`. */
export type OrchestratorMode = (typeof ORCHESTRATOR_MODES)[number]

const ORCHESTRATOR_MODES = ['FAILOVER', 'WATERFALL', 'ROUND_ROBIN'] as const

const DEFAULT_URL = 'http://localhost:8080'
const DEFAULT_PRIORITY = 10

/** The settings that say which orchestrators there are. */
export interface OrchestratorSettings {
  readonly orchestratorUrl?: string | undefined
  readonly orchestrators?: readonly OrchestratorOptions[] | undefined
  readonly orchestratorMode?: OrchestratorMode | undefined
  readonly token?: string | undefined
  /** Whether every orchestrator must have one. Default: yes. */
  readonly needsToken?: boolean | undefined
}

/** A value and the name of the setting it came from. */
interface Named<T> {
  readonly name: string
  readonly value: T
}

/** The orchestrators, best priority first. */
export function readOrchestrators(
  settings: OrchestratorSettings,
  reader: SettingsReader,
): readonly OrchestratorTarget[] {
  const shared = readToken(settings, reader)
  const targets = givenOrchestrators(settings, reader).map(({ name, value }) =>
    readTarget(name, value, shared, reader),
  )
  const { needsToken = true } = settings
  if (needsToken && shared === undefined && targets.some(({ token }) => token === undefined)) {
    const name = settings.token === undefined ? TOKEN_VARIABLES : 'token'
    reader.problems.push({ name, expected: `${TOKEN_EXPECTED}; it has no default` })
  }
  const urls = targets.map(({ url }) => url)
  const twice = urls.find((url, at) => urls.indexOf(url) !== at)
  if (twice !== undefined) {
    reader.problems.push({ name: 'orchestrators', value: twice, expected: 'each URL once' })
  }
  return targets
    .map((target) => ({ ...target, token: target.token ?? '' }))
    .sort((a, b) => a.priority - b.priority || (a.url < b.url ? -1 : 1))
}

/** How the orchestrators take turns. Default `FAILOVER`. */
export function readMode(settings: OrchestratorSettings, reader: SettingsReader): OrchestratorMode {
  const given = settings.orchestratorMode ?? reader.text('MULTI_ORCHESTRATOR_MODE')
  if (given === undefined) return 'FAILOVER'
  const mode = ORCHESTRATOR_MODES.find((known) => known === given.toUpperCase())
  if (mode !== undefined) return mode
  const isOption = settings.orchestratorMode !== undefined
  const name = isOption ? 'orchestratorMode' : 'MULTI_ORCHESTRATOR_MODE'
  reader.problems.push({ name, value: given, expected: ORCHESTRATOR_MODES.join(', ') })
  return 'FAILOVER'
}

/** Options before the environment, the list before the single URL. */
function givenOrchestrators(
  { orchestrators, orchestratorUrl }: OrchestratorSettings,
  reader: SettingsReader,
): readonly Named<OrchestratorOptions>[] {
  const variable = 'ORCHESTRATORS_CONFIG'
  if (orchestrators !== undefined) return namedList('orchestrators', orchestrators, reader)
  if (orchestratorUrl !== undefined) {
    return [{ name: 'orchestratorUrl', value: { url: orchestratorUrl } }]
  }
  const text = reader.text(variable)
  if (text === undefined) {
    const url = reader.text('ORCHESTRATOR_URL') ?? DEFAULT_URL
    return [{ name: 'ORCHESTRATOR_URL', value: { url } }]
  }
  const list = parseJson(text)
  if (isOrchestratorList(list)) return namedList(variable, list, reader)
  // The value stays untold: it may hold tokens.
  const expected = 'a JSON list such as [{"url":"https://o.example","priority":1,"weight":2}]'
  reader.problems.push({ name: variable, expected })
  return []
}

function namedList(
  name: string,
  list: readonly OrchestratorOptions[],
  reader: SettingsReader,
): readonly Named<OrchestratorOptions>[] {
  if (list.length === 0) reader.problems.push({ name, expected: 'at least one orchestrator' })
  return list.map((value, at) => ({ name: `${name}[${at}]`, value }))
}

function isOrchestratorList(value: unknown): value is OrchestratorOptions[] {
  return Array.isArray(value) && value.every(isOrchestrator)
}

function isOrchestrator(value: unknown): boolean {
  if (!isJsonObject(value) || typeof value['url'] !== 'string') return false
  const { token, priority, weight } = value
  const areNumbers = [priority, weight].every((part) => part == null || typeof part === 'number')
  return areNumbers && (token == null || typeof token === 'string')
}

function readTarget(
  name: string,
  given: OrchestratorOptions,
  shared: string | undefined,
  reader: SettingsReader,
): Omit<OrchestratorTarget, 'token'> & { readonly token: string | undefined } {
  const priority = given.priority ?? DEFAULT_PRIORITY
  const weight = given.weight ?? 1
  if (!Number.isFinite(priority)) {
    reader.problems.push({ name: `${name}.priority`, value: priority, expected: 'a number' })
  }
  if (!(Number.isFinite(weight) && weight > 0)) {
    const expected = 'a number greater than 0'
    reader.problems.push({ name: `${name}.weight`, value: weight, expected })
  }
  if (given.token != null && !isToken(given.token)) {
    reader.problems.push({ name: `${name}.token`, expected: TOKEN_EXPECTED })
  }
  const url = readUrl(name, given.url, reader)
  return { url, priority, weight, token: given.token ?? shared }
}

function readUrl(name: string, value: string, reader: SettingsReader): string {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const isPlain =
    url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (isPlain && /^https?:$/.test(url.protocol)) return value.replace(/\/+$/, '')
  reader.problems.push({
    name,
    // A URL with a user in it holds a password, which must not reach a log.
    ...(url?.password === '' && { value }),
    expected: 'an http or https URL without user, query or fragment',
  })
  return value
}

const TOKEN_VARIABLES = 'WORKER_INDIVIDUAL_TOKEN or WORKER_TOKEN'
const TOKEN_EXPECTED = "the worker's token, printable ASCII without spaces"

/** The token for orchestrators that have none of their own; `undefined` when there is no usable one. */
function readToken({ token }: OrchestratorSettings, reader: SettingsReader): string | undefined {
  const given = token ?? reader.text('WORKER_INDIVIDUAL_TOKEN') ?? reader.text('WORKER_TOKEN')
  return given !== undefined && isToken(given) ? given : undefined
}

/** Other characters cannot be sent in a header. */
function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text)
}
