/** Which demands a worker meets, and why not. Pure, and never throws on what a worker says. */
import type { TaskDemand } from '../../job/task.ts'
import type { WorkerRecord, WorkerSkill } from '../../ports/worker-record.ts'
import { machineOf } from '../workers/machine.ts'
import { firstUnmetRequirement } from './requirements.ts'
import { schemaIdOf } from './schema-id.ts'

/** What a worker is judged by. */
export type Candidate = Pick<WorkerRecord, 'status' | 'skills' | 'registration' | 'isDraining'>

/** Why a worker may not be handed a task. */
export interface Mismatch {
  readonly kind:
    | 'skill'
    | 'version'
    | 'skill_type'
    | 'input'
    | 'resources'
    | 'cost'
    | 'reputation'
    | 'draining'
    | 'offline'
  /** Words to follow "the worker", in the singular: "has too little VRAM (needs 24, has 8)". */
  readonly text: string
  /** The same without numbers that differ from worker to worker: "has too little VRAM". */
  readonly summary: string
}

/** Whether the worker may be handed tasks with this demand (W2). Free slots are another matter. */
export function fits(worker: Candidate, demand: TaskDemand): boolean {
  // The common case, without words.
  if (!worker.skills.some(({ name }) => name === demand.type)) return false
  return mismatch(worker, demand) === null
}

/**
 * The first reason why the worker may not be handed tasks with this demand, or `null`. That it is
 * leaving comes last: it only matters of a worker that could do the work.
 */
export function mismatch(worker: Candidate, demand: TaskDemand): Mismatch | null {
  return (
    skillMismatch(worker.skills, demand) ??
    resourcesMismatch(worker, demand) ??
    costMismatch(worker, demand) ??
    leavingMismatch(worker)
  )
}

/** Whether a worker gets nothing any more, whatever it could do. */
export function isLeaving(worker: Pick<Candidate, 'status' | 'isDraining'>): boolean {
  return leavingMismatch(worker) !== null
}

/** Whether a worker surely fits what it fitted before: told at a glance. */
export function isUnchanged(before: Candidate, now: Candidate): boolean {
  const isSaidTheSame = before.registration === now.registration && before.skills === now.skills
  return isSaidTheSame && isLeaving(before) === isLeaving(now)
}

/**
 * The worker with only those of its skills that it can start now; without names, with all. One that is
 * trusted less than `minReputation` has none.
 */
export function startable(
  worker: WorkerRecord,
  names: readonly string[] | undefined,
  minReputation = 0,
): WorkerRecord {
  if (worker.reputation < minReputation) return { ...worker, skills: [] }
  if (names === undefined) return worker
  return { ...worker, skills: worker.skills.filter(({ name }) => names.includes(name)) }
}

function skillMismatch(skills: readonly WorkerSkill[], demand: TaskDemand): Mismatch | null {
  const { type, skillVersion, skillType } = demand
  const named = skills.filter(({ name }) => name === type)
  if (named.length === 0) return because('skill', `does not offer the skill '${type}'`)
  const right = named.filter(({ version }) => isWanted(version, skillVersion))
  if (right.length === 0) {
    const has = `has ${named.map(({ version }) => version ?? 'none').join(', ')}`
    const text = `does not offer version ${String(skillVersion)} of '${type}'`
    return because('version', text, has)
  }
  const sought = right.filter((skill) => isWanted(skill.type, skillType))
  if (sought.length === 0) {
    return because('skill_type', `does not offer '${type}' of the type '${String(skillType)}'`)
  }
  if (sought.some((skill) => takesParams(skill, demand))) return null
  return because('input', `does not take the params of this '${type}' (its input schema)`)
}

function takesParams({ inputSchema }: WorkerSkill, { misfits }: TaskDemand): boolean {
  if (misfits === undefined || inputSchema === undefined) return true
  return !misfits.includes(schemaIdOf(inputSchema))
}

function isWanted(have: string | null, want: string | undefined): boolean {
  return want === undefined || have === want
}

function resourcesMismatch(worker: Candidate, demand: TaskDemand): Mismatch | null {
  const { type, resources } = demand
  if (resources === undefined) return null
  const reason = firstUnmetRequirement(machineOf(worker), { type, resources })
  return reason === null ? null : because('resources', reason.text, reason.numbers)
}

/** A worker that names no price may be as dear as it likes, so a limit rules it out. */
function costMismatch(worker: Candidate, { type, maxCost }: TaskDemand): Mismatch | null {
  if (maxCost === undefined) return null
  const cost = machineOf(worker).costOf(type)
  if (cost <= maxCost) return null
  if (cost === Infinity) return because('cost', `does not say what '${type}' costs`)
  return because('cost', 'costs too much', `at most ${maxCost}, asks ${cost}`)
}

function leavingMismatch({
  status,
  isDraining,
}: Pick<Candidate, 'status' | 'isDraining'>): Mismatch | null {
  if (status === 'draining' || isDraining === true) return because('draining', 'is draining')
  return status === 'offline' ? because('offline', 'is offline') : null
}

function because(kind: Mismatch['kind'], summary: string, numbers?: string): Mismatch {
  return { kind, text: numbers === undefined ? summary : `${summary} (${numbers})`, summary }
}
