// What a worker's life with one orchestrator is made of, wired together.
import type { SkillInfo } from '@avtomatika/protocol'

import { Acknowledgements } from './acknowledgements.ts'
import { AuthorizedTransport } from './authorized-transport.ts'
import type { Random } from './backoff.ts'
import { systemClock, type Clock } from './clock.ts'
import type { Commands } from './commands.ts'
import { Heartbeat, type WorkerState } from './heartbeat.ts'
import { ThreadDeputy, type OpenDeputy } from './heartbeat-deputy.ts'
import { HttpTransport } from './http-transport.ts'
import { LiveLine } from './live-line.ts'
import type { WorkerLogger } from './logger.ts'
import { MessageSigner } from './message-signing.ts'
import type { ResolvedWorkerOptions } from './options.ts'
import type { OrchestratorTarget } from './orchestrator-targets.ts'
import type { PollTurns } from './poll-turns.ts'
import { Registration, registrationMessage } from './registration.ts'
import { ResultQueue } from './result-queue.ts'
import { FileResultStore } from './result-store.ts'
import { skillsHash } from './skills-hash.ts'
import type { TaskRunner } from './task-runner.ts'
import type { TransportTarget } from './transport.ts'

/** What a session needs. */
export interface SessionOptions {
  readonly settings: ResolvedWorkerOptions
  readonly orchestrator: OrchestratorTarget
  readonly skills: readonly SkillInfo[]
  readonly runner: TaskRunner
  readonly turns: PollTurns
  readonly commands: Commands
}

/** What the parts are told by their session. */
export interface SessionHooks {
  readonly state: () => WorkerState
  /** Aborts tasks of this orchestrator. */
  readonly cancel: (taskIds: readonly string[]) => void
  /** Ends everything. */
  readonly signal: AbortSignal
}

/** The parts of a session. */
export interface SessionParts {
  readonly logger: WorkerLogger
  readonly transport: AuthorizedTransport
  readonly registration: Registration
  readonly acknowledgements: Acknowledgements
  readonly results: ResultQueue
  readonly heartbeat: Heartbeat
  /** Only with the option `websockets`. */
  readonly line: LiveLine | undefined
}

/** What most of them need. */
interface Common {
  readonly transport: AuthorizedTransport
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
}

/** Makes the parts; none of them does anything yet. */
export function createSessionParts(options: SessionOptions, hooks: SessionHooks): SessionParts {
  const { settings, orchestrator, skills, runner } = options
  const { clock, random, workerId, resultBackoff: backoff, tls } = settings
  const { url, token } = orchestrator
  const { cancel: onCancel, signal } = hooks
  const logger = settings.logger.child({ workerId, orchestrator: url })
  const target = { url, token, workerId, tls }
  const bare = settings.createTransport(target)
  const canAskForToken = tls?.cert !== undefined
  const signer = settings.signMessages ? new MessageSigner({ secret: token, workerId }) : undefined
  const access = { canAskForToken, signer }
  const transport = new AuthorizedTransport({ transport: bare, clock, logger, ...access })
  const common = { transport, clock, random, logger }
  const hash = skillsHash(settings, skills)
  const registration = new Registration({
    ...common,
    backoff: settings.registrationBackoff,
    message: () => registrationMessage(settings, { skills, hash, hot: runner.hot?.skills }),
  })
  const acknowledgements = new Acknowledgements({ ...common, backoff, workerId, onCancel, signal })
  const results = new ResultQueue({
    ...common,
    backoff,
    capacity: settings.maxPendingResults,
    store: openStore(settings, url, logger),
    can: (feature) => registration.can(feature),
    onAnswered: ({ task_id: taskId }) => {
      acknowledgements.settle(taskId)
    },
    signal,
  })
  // A transport that is not ours leads who knows where.
  const reachable = bare instanceof HttpTransport ? target : undefined
  const parts = { ...common, registration, acknowledgements, results }
  return {
    ...parts,
    heartbeat: createHeartbeat(parts, { options, hooks, hash, target: reachable }),
    line: reachable && createLine(parts, { options, hooks, target: reachable }),
  }
}

type EarlierParts = Common & Pick<SessionParts, 'registration' | 'acknowledgements'>

function createHeartbeat(
  { registration, acknowledgements, ...common }: EarlierParts,
  given: {
    readonly options: SessionOptions
    readonly hooks: SessionHooks
    readonly hash: string
    readonly target: TransportTarget | undefined
  },
): Heartbeat {
  const { options, hooks, hash: skillsHash, target } = given
  const { settings, skills } = options
  const { transport, clock } = common
  // A thread can only speak HTTP, and only by the clock of the machine.
  const canHaveDeputy = settings.heartbeatThread && clock === systemClock
  return new Heartbeat({
    ...common,
    backoff: settings.heartbeatBackoff,
    registration,
    workerId: settings.workerId,
    intervalMs: settings.heartbeatIntervalMs,
    debounceMs: settings.heartbeatDebounceMs,
    cooldownMs: settings.heartbeatCooldownMs,
    openDeputy:
      canHaveDeputy && target !== undefined
        ? deputyFor(target, { settings, transport, logger: common.logger })
        : undefined,
    state: hooks.state,
    skills,
    skillsHash,
    onCancel: hooks.cancel,
    onListed: (taskIds) => {
      acknowledgements.settle(...taskIds)
    },
  })
}

function createLine(
  { transport, clock, random, logger, registration }: EarlierParts,
  given: {
    readonly options: SessionOptions
    readonly hooks: SessionHooks
    readonly target: TransportTarget
  },
): LiveLine | undefined {
  const { options, hooks, target } = given
  const { settings, commands } = options
  if (!settings.websockets) return undefined
  const source = {
    orchestratorUrl: target.url,
    logger,
    cancel: (taskId: string) => {
      hooks.cancel([taskId])
    },
  }
  return new LiveLine({
    target,
    token: () => transport.token,
    clock,
    random,
    logger,
    registration,
    sign: (text) => transport.sign(text),
    onFrame: (text) => commands.take(text, source),
  })
}

function deputyFor(
  target: TransportTarget,
  {
    settings,
    transport,
    logger,
  }: Pick<Common, 'transport' | 'logger'> & Pick<SessionOptions, 'settings'>,
): OpenDeputy {
  const { heartbeatIntervalMs: intervalMs } = settings
  const token = (): string | undefined => transport.token
  const { signer } = transport
  return (onBeat) => new ThreadDeputy({ target, intervalMs, logger, token, signer, onBeat })
}

function openStore(
  { resultDirectory: directory, workerId }: ResolvedWorkerOptions,
  orchestratorUrl: string,
  logger: WorkerLogger,
): FileResultStore | undefined {
  if (directory === undefined) return undefined
  return new FileResultStore({ directory, workerId, orchestratorUrl, logger })
}
