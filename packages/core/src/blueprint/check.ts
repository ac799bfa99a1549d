/** What is wrong with a blueprint, found before its first job. */
import { handlersOf, type StateDefinition } from './definition.ts'

export interface BlueprintIssue {
  readonly level: 'error' | 'warning'
  readonly message: string
}

/** All issues of a set of states; errors make registration fail. */
export function checkStates(states: ReadonlyMap<string, StateDefinition>): BlueprintIssue[] {
  return [
    ...startIssues(states),
    ...[...states.values()].flatMap((s) => stateIssues(s, states)),
    ...reachIssues(states),
  ]
}

function startIssues(states: ReadonlyMap<string, StateDefinition>): BlueprintIssue[] {
  const starts = [...states.values()]
    .filter((state) => state.start)
    .map((state) => `'${state.name}'`)
  if (starts.length === 1) return []
  const message =
    starts.length === 0
      ? 'it has no start state; give one state the option { start: true }'
      : `it has ${String(starts.length)} start states (${starts.join(', ')}); keep { start: true } on one of them`
  return [{ level: 'error', message }]
}

function stateIssues(
  state: StateDefinition,
  states: ReadonlyMap<string, StateDefinition>,
): BlueprintIssue[] {
  const issues: BlueprintIssue[] = []
  if (handlersOf(state).length === 0 && state.end === null) {
    const message = `state '${state.name}' has no handler and is no end state; add a handler or { end: true }`
    issues.push({ level: 'error', message })
  }
  for (const target of targetsOf(state)) {
    if (states.has(target)) continue
    const message = `state '${state.name}' leads to '${target}', which does not exist; add it or correct the name`
    issues.push({ level: 'error', message })
  }
  return issues
}

/** Where a state can lead, as far as known. */
export function targetsOf(state: StateDefinition): readonly string[] {
  return [...new Set([...handlersOf(state).flatMap(({ scan }) => scan.targets), ...state.to])]
}

function reachIssues(states: ReadonlyMap<string, StateDefinition>): BlueprintIssue[] {
  const reached = new Set<string>()
  const queue = [...states.values()].filter((state) => state.start)
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    if (reached.has(state.name)) continue
    reached.add(state.name)
    // A target that the scan cannot read may be any state, unless the author declared them.
    const hasUnseen = handlersOf(state).some(({ scan }) => scan.hasUnseen)
    if (hasUnseen && state.to.length === 0) return []
    for (const target of targetsOf(state)) {
      const next = states.get(target)
      if (next !== undefined) queue.push(next)
    }
  }
  const missed = [...states.keys()].filter((name) => !reached.has(name))
  return missed.map((name) => ({
    level: 'warning',
    message: `state '${name}' cannot be reached from the start state; remove it, or declare it with { to: ['${name}'] } where a handler computes it`,
  }))
}
