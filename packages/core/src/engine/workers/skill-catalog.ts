/** Which skills can be had, from how many workers, at what price. Pure. */
import type { CatalogEntry, JsonObject } from '@avtomatika/protocol'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import { machineOf } from './machine.ts'

interface Offered {
  readonly worker: WorkerRecord
  /** The worker's own description. */
  readonly contract: JsonObject & { readonly name: string }
  readonly version: string | null
}

/**
 * All skills that workers offer, by name.
 * @param minReputation - workers that are trusted less offer nothing at the moment.
 */
export function skillCatalog(
  workers: readonly WorkerRecord[],
  minReputation: number,
): Record<string, CatalogEntry> {
  const bySkill = new Map<string, Offered[]>()
  for (const worker of workers) {
    for (const offered of offeredBy(worker)) {
      const all = bySkill.get(offered.contract.name)
      if (all === undefined) bySkill.set(offered.contract.name, [offered])
      else all.push(offered)
    }
  }
  const names = [...bySkill.keys()].sort()
  return Object.fromEntries(
    names.map((name) => [name, entryOf(bySkill.get(name) ?? [], name, minReputation)]),
  )
}

function offeredBy(worker: WorkerRecord): readonly Offered[] {
  const described = machineOf(worker).skills
  return worker.skills.map(({ name, type, version, inputSchema }) => {
    const said = described.find(
      (one) => one.get('name') === name && (one.get('version') ?? null) === version,
    )
    const contract = {
      ...Object.fromEntries(said ?? []),
      name,
      ...(type !== null && { type }),
      ...(version !== null && { version }),
      ...(inputSchema && { input_schema: inputSchema }),
    }
    return { worker, contract, version }
  })
}

function entryOf(offers: readonly Offered[], name: string, minReputation: number): CatalogEntry {
  const workers = [...new Set(offers.map(({ worker }) => worker))]
  const prices = workers.map((worker) => machineOf(worker).costOf(name)).filter(Number.isFinite)
  const total = workers.reduce((sum, { reputation }) => sum + reputation, 0)
  const best = offers.reduce((a, b) => (isBetter(b, a) ? b : a))
  return {
    contract: { ...best.contract },
    providers_count: workers.length,
    available_count: workers.filter((worker) => isAvailable(worker, minReputation)).length,
    versions: unique(offers.flatMap(({ version }) => version ?? [])),
    worker_types: unique(workers.map(({ workerType }) => workerType)),
    price: prices.length === 0 ? null : { min: Math.min(...prices), max: Math.max(...prices) },
    average_reputation: Math.round((total / workers.length) * 10_000) / 10_000,
  }
}

/** A description that says more; of two that say as much, the newer one. */
function isBetter(one: Offered, other: Offered): boolean {
  const [words, otherWords] = [one, other].map(({ contract }) => Object.keys(contract).length)
  if (words !== otherWords) return (words ?? 0) > (otherWords ?? 0)
  return one.worker.registeredAt > other.worker.registeredAt
}

function isAvailable({ status, isDraining, reputation }: WorkerRecord, least: number): boolean {
  const isLeaving = status === 'draining' || status === 'offline' || isDraining === true
  return !isLeaving && reputation >= least
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)].sort()
}
