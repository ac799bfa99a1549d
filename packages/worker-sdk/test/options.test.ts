import { describe, expect, it } from 'vitest'

import { ConfigError } from '@avtomatika/protocol'

import { resolveWorkerOptions, type ResolvedWorkerOptions } from '../src/options.ts'
import { defineTask, Worker } from '../src/index.ts'

const TOKEN = { WORKER_TOKEN: 'tok' }

function problemsOf(options: Parameters<typeof resolveWorkerOptions>[0]): unknown[] {
  try {
    resolveWorkerOptions(options)
  } catch (error) {
    if (ConfigError.is(error)) return (error.details as { problems: unknown[] }).problems
    throw error
  }
  return []
}

describe('settings of a worker', () => {
  it('have a default each, except the token', () => {
    const settings = resolveWorkerOptions({ env: TOKEN, newId: () => 'id' })
    expect(settings).toMatchObject({
      workerId: 'worker-id',
      workerType: 'generic-worker',
      orchestrators: [{ url: 'http://localhost:8080', token: 'tok', priority: 10, weight: 1 }],
      orchestratorMode: 'FAILOVER',
      heartbeatDebounceMs: 100,
      heartbeatCooldownMs: 2000,
      health: { port: 8083, isExplicit: false },
      metrics: false,
      websockets: false,
      maxConcurrentTasks: 10,
      heartbeatIntervalMs: 15_000,
      pollTimeoutMs: 30_000,
      shutdownTimeoutMs: 30_000,
      registrationBackoff: { initialMs: 1000, maxMs: 60_000 },
      pollBackoff: { initialMs: 1000, maxMs: 60_000 },
      resultBackoff: { initialMs: 1000, maxMs: 60_000 },
    })
    expect(settings.machine.gpu).toBeNull()
  })

  it.each<[env: Record<string, string>, expected: object]>([
    [{ WORKER_ID: 'w9' }, { workerId: 'w9' }],
    [{ WORKER_TYPE: 'gpu' }, { workerType: 'gpu' }],
    [
      { ORCHESTRATOR_URL: 'https://o.example/base/' },
      { orchestrators: [{ url: 'https://o.example/base' }] },
    ],
    [{ WORKER_INDIVIDUAL_TOKEN: 'own' }, { orchestrators: [{ token: 'own' }] }],
    [{ MAX_CONCURRENT_TASKS: '3' }, { maxConcurrentTasks: 3 }],
    [{ HEARTBEAT_INTERVAL: '2.5' }, { heartbeatIntervalMs: 2500 }],
    [{ TASK_POLL_TIMEOUT: '5' }, { pollTimeoutMs: 5000 }],
    [{ WORKER_SHUTDOWN_TIMEOUT: '0' }, { shutdownTimeoutMs: 0 }],
    [{ RESULT_RETRY_INITIAL_DELAY: '2' }, { resultBackoff: { initialMs: 2000, maxMs: 60_000 } }],
    [
      { REGISTRATION_RETRY_INITIAL_DELAY: '2', REGISTRATION_RETRY_MAX_DELAY: '9' },
      { registrationBackoff: { initialMs: 2000, maxMs: 9000 } },
    ],
    [
      { POLL_BACKOFF_INITIAL: '0.5', POLL_BACKOFF_MAX: '7' },
      { pollBackoff: { initialMs: 500, maxMs: 7000 } },
    ],
    [{ POLL_BACKOFF_FACTOR: '3' }, { pollBackoff: { factor: 3 } }],
    [
      { RATE_LIMIT_BACKOFF_FLOOR: '5' },
      { resultBackoff: { rateLimitFloorMs: 5000 }, heartbeatBackoff: { rateLimitFloorMs: 5000 } },
    ],
    [
      { WORKER_HEARTBEAT_DEBOUNCE_DELAY: '0.5', WORKER_HEARTBEAT_COOLDOWN: '1' },
      { heartbeatDebounceMs: 500, heartbeatCooldownMs: 1000 },
    ],
    [{ MULTI_ORCHESTRATOR_MODE: 'waterfall' }, { orchestratorMode: 'WATERFALL' }],
    [{ WORKER_PORT: '9000' }, { health: { port: 9000, isExplicit: true } }],
    [{ WORKER_PORT: 'off' }, { health: null }],
    [{ WORKER_ENABLE_METRICS: 'true' }, { metrics: true }],
    [{ WORKER_ENABLE_WEBSOCKETS: '1' }, { websockets: true }],
    [{ WORKER_RESULT_DIR: '/r', WORKER_ID: 'w' }, { resultDirectory: '/r' }],
    [
      { GPU_MODEL: 'A100', GPU_ID: '1', WORKER_DEVICES: '[{"type":"tpu","properties":{"n":2}}]' },
      {
        machine: {
          devices: [
            { type: 'gpu', model: 'A100', id: '1' },
            { type: 'tpu', properties: { n: 2 } },
          ],
        },
      },
    ],
    [{ CPU_CORES: '6', RAM_GB: '1.5' }, { machine: { cpuCores: 6, ramGb: 1.5 } }],
    [{ GPU_MODEL: 'A100', GPU_VRAM_GB: '80' }, { machine: { gpu: { model: 'A100', vramGb: 80 } } }],
    [{ COST_PER_SKILL: '{"a":0.1}' }, { machine: { costPerSkill: { a: 0.1 } } }],
    [{ INSTALLED_SOFTWARE: '{"ffmpeg":"7"}' }, { machine: { installedSoftware: { ffmpeg: '7' } } }],
    [
      { INSTALLED_MODELS: '[{"name":"m","version":"1"}]' },
      { machine: { installedModels: [{ name: 'm', version: '1' }] } },
    ],
    [
      { INSTALLED_ARTIFACTS: '[{"name":"x"}]' },
      { machine: { installedArtifacts: [{ name: 'x' }] } },
    ],
    [
      { WORKER_EXTRA_ZONE: 'eu', WORKER_EXTRA_TAGS: '["a"]' },
      { machine: { extra: { zone: 'eu', tags: ['a'] } } },
    ],
  ])('are read from the environment: %o', (env, expected) => {
    expect(resolveWorkerOptions({ env: { ...TOKEN, ...env } })).toMatchObject(expected)
  })

  it('are taken from the options before the environment', () => {
    const env = { WORKER_ID: 'a', WORKER_TOKEN: 'b', HEARTBEAT_INTERVAL: '1' }
    const settings: ResolvedWorkerOptions = resolveWorkerOptions({
      env,
      workerId: 'x',
      token: 'y',
      heartbeatIntervalMs: 7,
    })
    expect(settings).toMatchObject({
      workerId: 'x',
      orchestrators: [{ token: 'y' }],
      heartbeatIntervalMs: 7,
    })
  })

  it('are all told when they are wrong, without the secrets', () => {
    const env = {
      WORKER_ID: 'a b',
      ORCHESTRATOR_URL: 'http://user:hunter2@host',
      MAX_CONCURRENT_TASKS: '1.5',
      HEARTBEAT_INTERVAL: 'soon',
      COST_PER_SKILL: '{"a":"cheap"}',
      INSTALLED_MODELS: '{broken',
      LOG_LEVEL: 'loud',
      LOG_FORMAT: 'xml',
    }
    const problems = problemsOf({ env, pollTimeoutMs: -1 })
    expect(problems).toContainEqual({
      name: 'HEARTBEAT_INTERVAL',
      value: 'soon',
      expected: expect.stringContaining('seconds') as unknown,
    })
    const names = problems.map((problem) => (problem as { name: string }).name).sort()
    expect(names).toEqual([
      'COST_PER_SKILL',
      'HEARTBEAT_INTERVAL',
      'INSTALLED_MODELS',
      'LOG_FORMAT',
      'LOG_LEVEL',
      'MAX_CONCURRENT_TASKS',
      'ORCHESTRATOR_URL',
      'WORKER_ID',
      'WORKER_INDIVIDUAL_TOKEN or WORKER_TOKEN',
      'pollTimeoutMs',
    ])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it('list several orchestrators, best priority first, each with its own token', () => {
    const config = [
      { url: 'https://b.example', priority: 2, token: 'tb' },
      { url: 'https://c.example' },
      { url: 'https://a.example/', priority: 1, weight: 3 },
    ]
    const env = { ...TOKEN, ORCHESTRATORS_CONFIG: JSON.stringify(config), ORCHESTRATOR_URL: 'x' }
    expect(resolveWorkerOptions({ env }).orchestrators).toEqual([
      { url: 'https://a.example', token: 'tok', priority: 1, weight: 3 },
      { url: 'https://b.example', token: 'tb', priority: 2, weight: 1 },
      { url: 'https://c.example', token: 'tok', priority: 10, weight: 1 },
    ])
  })

  it('need no common token when each orchestrator has its own', () => {
    const orchestrators = [{ url: 'http://a.example', token: 'ta' }]
    expect(problemsOf({ env: {}, orchestrators })).toEqual([])
  })

  it.each<[name: string, env: Record<string, string>]>([
    ['ORCHESTRATORS_CONFIG', { ORCHESTRATORS_CONFIG: '[{"url":1,"token":"hunter2"}]' }],
    ['ORCHESTRATORS_CONFIG', { ORCHESTRATORS_CONFIG: '[]' }],
    ['ORCHESTRATORS_CONFIG[0]', { ORCHESTRATORS_CONFIG: '[{"url":"ftp://x"}]' }],
    [
      'ORCHESTRATORS_CONFIG[0].weight',
      { ORCHESTRATORS_CONFIG: '[{"url":"http://x","weight":0,"token":"hunter2"}]' },
    ],
    [
      'ORCHESTRATORS_CONFIG[0].token',
      { ORCHESTRATORS_CONFIG: '[{"url":"http://x","token":"hunter2 "}]' },
    ],
    ['orchestrators', { ORCHESTRATORS_CONFIG: '[{"url":"http://x"},{"url":"http://x/"}]' }],
    ['MULTI_ORCHESTRATOR_MODE', { MULTI_ORCHESTRATOR_MODE: 'sometimes' }],
    ['WORKER_PORT', { WORKER_PORT: '70000' }],
    ['WORKER_ENABLE_METRICS', { WORKER_ENABLE_METRICS: 'perhaps' }],
    ['WORKER_ENABLE_WEBSOCKETS', { WORKER_ENABLE_WEBSOCKETS: 'perhaps' }],
    ['WORKER_DEVICES', { WORKER_DEVICES: '[{"model":"x"}]' }],
    ['WORKER_ID', { WORKER_RESULT_DIR: '/r' }],
    ['TLS_CA_PATH', { TLS_CA_PATH: '/does/not/exist.pem' }],
    ['TLS_KEY_PATH', { TLS_CERT_PATH: new URL(import.meta.url).pathname }],
    ['POLL_BACKOFF_FACTOR', { POLL_BACKOFF_FACTOR: '0' }],
  ])('say that %s is wrong: %o', (name, env) => {
    const problems = problemsOf({ env: { ...TOKEN, ...env } })
    expect(problems).toEqual([expect.objectContaining({ name })])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  it('name the variables of the Python system that do nothing here', () => {
    const env = { ...TOKEN, S3_REGION: 'eu', RESULT_MAX_RETRIES: '5', LOG_LEVEL: 'info' }
    const { unusedVariables } = resolveWorkerOptions({ env })
    expect(unusedVariables.map(({ name }) => name)).toEqual(['RESULT_MAX_RETRIES', 'S3_REGION'])
  })

  it('need a token: there is no placeholder (D-35)', () => {
    expect(() => new Worker({ env: {} })).toThrow(/WORKER_TOKEN: expected the worker's token/)
  })

  it.each(['DEBUG', 'Warning', 'CRITICAL'])(
    'know the log level %s of the Python system',
    (level) => {
      expect(problemsOf({ env: { ...TOKEN, LOG_LEVEL: level } })).toEqual([])
    },
  )
})

describe('registering tasks', () => {
  const worker = () => new Worker({ env: TOKEN })

  it('refuses a name twice (D-49)', () => {
    expect(() =>
      worker()
        .task('a', () => ({}))
        .task('a', () => ({})),
    ).toThrow(/registered twice/)
  })

  it('refuses a malformed name, also in a contract', () => {
    expect(() => defineTask('a b')).toThrow(ConfigError)
    expect(() => worker().task('a b', () => ({}))).toThrow(/letters, digits/)
  })
})
