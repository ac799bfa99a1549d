#!/usr/bin/env node
/**
 * The orchestrator as a program. Exit codes: 0 after a clean stop, 1 when it could not start or not
 * stop in time, 128 + n when a second signal cut the stop short.
 */
import type { OrchestratorEngine } from '@avtomatika/core'
import { ConfigError } from '@avtomatika/protocol'
import { RedisBackground, RedisStorage } from '@avtomatika/storage-redis'
import type { Logger } from 'pino'
import { announce } from './announce.ts'
import { compose } from './compose.ts'
import { createLog } from './create-log.ts'
import { readEnvironment, type Environment } from './environment.ts'
import { loadBlueprints } from './load-blueprints.ts'
import { startProblem } from './start-problem.ts'
import { stopSignal } from './stop-signal.ts'

/** Container hosts kill after 10 s; to say why before that is better. */
const STOP_LIMIT_MS = 9_500

interface Running {
  readonly engine: OrchestratorEngine
  readonly environment: Environment
  readonly log: Logger
  readonly storage: RedisStorage | undefined
  readonly background: RedisBackground | undefined
}

async function main(): Promise<number> {
  const signalled = stopSignal()
  const running = await start()
  if (running === undefined) return 1
  const { engine, environment, log, storage, background } = running
  const end = await Promise.race([signalled, unusable(storage)])
  const isSignal = typeof end === 'string'
  if (isSignal) {
    const signal = end
    log.info({ signal }, 'Stopping: open requests are answered first. Signal again to end at once')
  } else {
    process.stderr.write(startProblem(end, environment))
  }
  const limit = setTimeout(() => {
    log.error('Stopping took too long; a handler or a request did not end')
    process.exit(1)
  }, STOP_LIMIT_MS)
  await engine.stop()
  background?.close()
  await storage?.close()
  clearTimeout(limit)
  log.info('Stopped')
  return isSignal ? 0 : 1
}

async function start(): Promise<Running | undefined> {
  let environment: Environment | undefined
  let engine: OrchestratorEngine | undefined
  let storage: RedisStorage | undefined
  let background: RedisBackground | undefined
  try {
    environment = readEnvironment(process.env)
    const log = createLog(environment)
    const blueprints = await loadBlueprints(environment.blueprintsDir)
    storage = await openStorage(environment, log)
    background = await openBackground(environment, log)
    engine = compose({ environment, blueprints, log, storage, background })
    announce(log, { address: await engine.start(), environment, blueprints })
    return { engine, environment, log, storage, background }
  } catch (error) {
    process.stderr.write(startProblem(error, environment))
    await engine?.stop()
    background?.close()
    await storage?.close()
    return undefined
  }
}

/** A Redis that is away is waited for: until it is there, every request is told to come back later. */
async function openStorage(
  { redis, redisKeyPrefix }: Environment,
  log: Logger,
): Promise<RedisStorage | undefined> {
  if (redis === undefined) return undefined
  return RedisStorage.open({ ...redis, prefix: redisKeyPrefix, whenAway: 'retry', log })
}

/** Webhooks and schedules, on connections of their own. */
async function openBackground(
  { redis, redisKeyPrefix }: Environment,
  log: Logger,
): Promise<RedisBackground | undefined> {
  if (redis === undefined) return undefined
  return RedisBackground.open({ ...redis, prefix: redisKeyPrefix, log })
}

/** Resolves with what is wrong when the server that was waited for turns out to be of no use. */
function unusable(storage: RedisStorage | undefined): Promise<Error> {
  return new Promise((resolve) => {
    storage?.ready.catch((error: unknown) => {
      if (ConfigError.is(error)) resolve(error)
    })
  })
}

// Blueprint modules may hold connections of their own; what they left open must not keep us here.
process.exit(await main())
