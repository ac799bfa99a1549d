import { createHash } from 'node:crypto'

import type { SkillInfo } from '@avtomatika/protocol'

import type { ResolvedWorkerOptions } from './options.ts'

/** More would only be longer: it tells a change, it proves nothing. */
const CHARACTERS = 32

/**
 * A mark of all that an orchestrator must have heard of this worker's skills. One that finds another in a
 * heartbeat than it knows asks for the skills.
 */
export function skillsHash(
  { machine: { costPerSkill, extra } }: Pick<ResolvedWorkerOptions, 'machine'>,
  skills: readonly SkillInfo[],
): string {
  const text = JSON.stringify({ skills, capabilities: costPerSkill, extra }, inOrder)
  return createHash('sha256').update(text).digest('hex').slice(0, CHARACTERS)
}

/** The order of an object's keys says nothing. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
