#!/usr/bin/env node
/**
 * The orchestrator as a program. Exit codes: 0 after a clean stop, 1 when it could not start or not
 * stop in time, 128 + n when a second signal cut the stop short.
 */
import type { OrchestratorEngine } from '@avtomatika/core'
import { RedisStorage } from '@avtomatika/storage-redis'
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
  readonly log: Logger
  readonly storage: RedisStorage | undefined
}

async function main(): Promise<number> {
  const signalled = stopSignal()
  const running = await start()
  if (running === undefined) return 1
  const { engine, log, storage } = running
  const signal = await signalled
  log.info({ signal }, 'Stopping: open requests are answered first. Signal again to end at once')
  const limit = setTimeout(() => {
    log.error('Stopping took too long; a handler or a request did not end')
    process.exit(1)
  }, STOP_LIMIT_MS)
  await engine.stop()
  await storage?.close()
  clearTimeout(limit)
  log.info('Stopped')
  return 0
}

async function start(): Promise<Running | undefined> {
  let environment: Environment | undefined
  let engine: OrchestratorEngine | undefined
  let storage: RedisStorage | undefined
  try {
    environment = readEnvironment(process.env)
    const log = createLog(environment)
    const blueprints = await loadBlueprints(environment.blueprintsDir)
    storage = await openStorage(environment, log)
    engine = compose({ environment, blueprints, log, storage })
    announce(log, { address: await engine.start(), environment, blueprints })
    return { engine, log, storage }
  } catch (error) {
    process.stderr.write(startProblem(error, environment))
    await engine?.stop()
    await storage?.close()
    return undefined
  }
}

/** @throws UnavailableError `STORAGE_UNAVAILABLE` when there is no Redis at `REDIS_URL`. */
async function openStorage(
  { redisUrl, redisKeyPrefix }: Environment,
  log: Logger,
): Promise<RedisStorage | undefined> {
  if (redisUrl === undefined) return undefined
  return RedisStorage.open({ url: redisUrl, prefix: redisKeyPrefix, log })
}

// Blueprint modules may hold connections of their own; what they left open must not keep us here.
process.exit(await main())
