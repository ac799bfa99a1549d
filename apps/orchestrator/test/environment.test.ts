import { ConfigError } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { readEnvironment } from '../src/environment.ts'

const REQUIRED = {
  CLIENT_TOKEN: 'client-secret-1',
  GLOBAL_WORKER_TOKEN: 'worker-secret-1',
  BLUEPRINTS_DIR: '/blueprints',
}

describe('readEnvironment', () => {
  it('fills in a default for everything but tokens and blueprints', () => {
    expect(readEnvironment(REQUIRED)).toEqual({
      host: '0.0.0.0',
      port: 8080,
      apiPrefix: 'api',
      clientToken: 'client-secret-1',
      adminToken: undefined,
      workerToken: 'worker-secret-1',
      workersFile: undefined,
      workerAuthMode: undefined,
      workerSignatures: 'verify',
      tls: undefined,
      blueprintsDir: '/blueprints',
      logLevel: 'info',
      logFormat: 'json',
      maxRetries: 3,
      maxTransitions: 100,
      maxDepth: 10,
      maxStoredEvents: 100,
      maxDataBytes: 1_048_576,
      maxJobDataBytes: 16_777_216,
      executorConcurrency: 100,
      taskTimeoutMs: 300_000,
      pollTimeoutMs: 30_000,
      workerHealthIntervalMs: 60_000,
      minReputation: 0.3,
      approvalAuth: 'owner',
      approvalSecret: undefined,
      redis: undefined,
      redisKeyPrefix: 'avt',
      webhookPrivateHosts: false,
      webhookAttempts: 8,
      retainMs: 604_800_000,
      // Limits that are not set are the engine's.
      rateLimits: { enabled: true, periodMs: 60_000 },
    })
  })

  it('takes what is set', () => {
    const set = {
      APPROVAL_AUTH: 'Open',
      APPROVAL_SECRET: 'a secret of many words',
      MAX_JOB_DEPTH: '0',
      MAX_STORED_EVENTS: '5',
      MAX_DATA_BYTES: '2048',
      MAX_JOB_DATA_BYTES: '1073741824',
      WEBHOOK_PRIVATE_HOSTS: 'TRUE',
      WEBHOOK_ATTEMPTS: '3',
      JOB_RETENTION_SECONDS: '3600',
      REDIS_URL: 'rediss://user:pass@host:6380/1',
      REDIS_KEY_PREFIX: 'mine',
    }
    expect(readEnvironment({ ...REQUIRED, ...set })).toMatchObject({
      approvalAuth: 'open',
      approvalSecret: 'a secret of many words',
      maxDepth: 0,
      webhookAttempts: 3,
      retainMs: 3_600_000,
      maxStoredEvents: 5,
      maxDataBytes: 2048,
      maxJobDataBytes: 1_073_741_824,
      redis: { url: 'rediss://user:pass@host:6380/1' },
      redisKeyPrefix: 'mine',
      webhookPrivateHosts: true,
    })
  })

  it('takes rate limits by the names of the Python system', () => {
    const set = {
      RATE_LIMITING_ENABLED: 'False',
      RATE_LIMIT_LIMIT: '100',
      RATE_LIMIT_PERIOD: '30',
      RATE_LIMIT_HEARTBEAT_LIMIT: '120',
      RATE_LIMIT_POLL_LIMIT: '60',
    }
    expect(readEnvironment({ ...REQUIRED, ...set }).rateLimits).toEqual({
      enabled: false,
      clientRequests: 100,
      periodMs: 30_000,
      heartbeats: 120,
      emptyPolls: 60,
    })
  })

  it('takes seconds from the operator and hands on milliseconds', () => {
    const read = readEnvironment({ ...REQUIRED, WORKER_TIMEOUT_SECONDS: '7' })
    expect(read.taskTimeoutMs).toBe(7_000)
  })

  it('takes a variable that is set to nothing as not set', () => {
    expect(readEnvironment({ ...REQUIRED, API_PORT: '', LOG_LEVEL: '  ' }).port).toBe(8080)
  })

  it('mounts the client API at the root for an empty prefix', () => {
    expect(readEnvironment({ ...REQUIRED, CLIENT_API_PREFIX: '' }).apiPrefix).toBe('')
  })

  it.each([
    ['INFO', 'info'],
    ['WARNING', 'warn'],
    ['critical', 'fatal'],
  ])('understands the log level %s of the Python system', (given, level) => {
    expect(readEnvironment({ ...REQUIRED, LOG_LEVEL: given }).logLevel).toBe(level)
  })

  it.each([
    ['API_PORT', 'eighty', 'API_PORT must be a whole number from 0 to 65535'],
    ['API_PORT', '65536', 'API_PORT must be'],
    ['API_PORT', '8080.5', 'API_PORT must be'],
    ['JOB_MAX_RETRIES', '-1', 'JOB_MAX_RETRIES must be'],
    ['MAX_TRANSITIONS_PER_JOB', '0', 'MAX_TRANSITIONS_PER_JOB must be'],
    ['WORKER_POLL_TIMEOUT_SECONDS', '0', 'WORKER_POLL_TIMEOUT_SECONDS must be'],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL must be one of trace, debug'],
    ['LOG_LEVEL', 'constructor', 'LOG_LEVEL must be one of'],
    ['LOG_FORMAT', 'xml', 'LOG_FORMAT must be one of json, text'],
    ['CLIENT_API_PREFIX', 'a b', 'CLIENT_API_PREFIX must be a path'],
    ['MAX_JOB_DEPTH', '51', 'MAX_JOB_DEPTH must be a whole number from 0 to 50'],
    ['MAX_STORED_EVENTS', '-1', 'MAX_STORED_EVENTS must be'],
    ['MAX_DATA_BYTES', '0', 'MAX_DATA_BYTES must be'],
    ['MAX_JOB_DATA_BYTES', '1073741825', 'MAX_JOB_DATA_BYTES must be'],
    ['APPROVAL_AUTH', 'nobody', 'APPROVAL_AUTH must be one of owner, open'],
    ['REPUTATION_MIN_THRESHOLD', '1.5', 'REPUTATION_MIN_THRESHOLD must be a number from 0 to 1'],
    ['REDIS_URL', 'http://:secret@host', 'REDIS_URL cannot be used: The URL of Redis'],
    ['RATE_LIMIT_LIMIT', '0', 'RATE_LIMIT_LIMIT must be a whole number from 1 to 1000000'],
    ['RATE_LIMIT_PERIOD', '0', 'RATE_LIMIT_PERIOD must be'],
    ['RATE_LIMITING_ENABLED', 'no', 'RATE_LIMITING_ENABLED must be one of true, false'],
    ['WEBHOOK_PRIVATE_HOSTS', 'yes', 'WEBHOOK_PRIVATE_HOSTS must be one of true, false'],
  ])('refuses %s=%s', (name, value, message) => {
    expect(() => readEnvironment({ ...REQUIRED, [name]: value })).toThrow(message)
  })

  it('tells everything that is wrong at once', () => {
    const error = problemsOf({ API_PORT: 'x', LOG_FORMAT: 'y' })
    const named = [
      'API_PORT',
      'CLIENT_TOKEN',
      'GLOBAL_WORKER_TOKEN',
      'BLUEPRINTS_DIR',
      'LOG_FORMAT',
    ]
    expect(error.message.split('\n').map((line) => line.split(' ')[0])).toEqual(named)
  })

  it.each([
    ['CLIENT_TOKEN', 'secure-orchestrator-token'],
    ['GLOBAL_WORKER_TOKEN', 'secure-worker-token'],
    ['GLOBAL_WORKER_TOKEN', 'secure-orchestrator-token'],
    ['GLOBAL_WORKER_TOKEN', 'your-secret-worker-token'],
    ['ADMIN_TOKEN', 'secure-worker-token'],
  ])('does not run with a token that everybody knows (D-57): %s=%s', (name, token) => {
    const error = problemsOf({ ...REQUIRED, [name]: token })
    expect(error.message).toContain(`${name} is a default that everybody knows. Set it to`)
    expect(error.message).not.toContain(token)
  })

  it('never repeats a token or a secret that it refuses', () => {
    const secrets = { CLIENT_TOKEN: 'pass word', APPROVAL_SECRET: 'too-short-one' }
    const error = problemsOf({ ...REQUIRED, ...secrets })
    expect(error.message).toContain('CLIENT_TOKEN has a space')
    expect(error.message).toContain('APPROVAL_SECRET is too short')
    expect(JSON.stringify(error) + error.message).not.toMatch(/pass word|too-short-one/)
  })
})

function problemsOf(variables: Readonly<Record<string, string>>): ConfigError {
  try {
    readEnvironment(variables)
  } catch (error) {
    if (ConfigError.is(error)) return error
    throw error
  }
  throw new Error('expected the environment to be refused')
}
