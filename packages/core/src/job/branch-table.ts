/**
 * The branches of a fan-out, as a value that is cheap to change and to ask.
 *
 * They stand in leaves of 64: a change copies one leaf and the list of leaves, not ten thousand branches.
 * What is asked for with every event (how many are out, when the first is due) is worked out by leaf and
 * remembered with it. A leaf never changes, so nothing that is remembered can be out of date: it follows
 * from the document, as if it were counted anew each time.
 */
import type { Branch, BranchLeaf, BranchTable } from './task.ts'
import { earliest, taskDeadline } from './task-deadline.ts'
import { unreachable } from './unreachable.ts'
import type { EpochMs } from './vocabulary.ts'

/** What stands in a table, or in a part of it. */
export interface BranchTally {
  readonly total: number
  /** Not dispatched yet. */
  readonly waiting: number
  /** Dispatched and not over: on offer, with a worker, or in a pause. */
  readonly out: number
  /** Of those that are out: with a worker. */
  readonly claimed: number
  readonly done: number
  /** Of those that are done: with a failure, or cancelled. */
  readonly failed: number
  /** When the first that is out needs attention; `null` if only workers can move them. */
  readonly dueAt: EpochMs | null
}

/** A change copies one leaf and one place per leaf: for ten thousand branches, 64 and 157. */
const LEAF_SIZE = 64

const NOTHING: BranchTally = {
  total: 0,
  waiting: 0,
  out: 0,
  claimed: 0,
  done: 0,
  failed: 0,
  dueAt: null,
}

/** Lays branches out, in order of their index. */
export function tableOf(branches: readonly Branch[]): BranchTable {
  const leaves = Math.ceil(branches.length / LEAF_SIZE)
  return Array.from({ length: leaves }, (_, n) =>
    branches.slice(n * LEAF_SIZE, (n + 1) * LEAF_SIZE),
  )
}

/** All branches in order. */
export function branchesIn(table: BranchTable): readonly Branch[] {
  return table.flat()
}

/** The branch at a place; `undefined` for what is no place. */
export function branchAt(table: BranchTable, index: number): Branch | undefined {
  return table[Math.floor(index / LEAF_SIZE)]?.[index % LEAF_SIZE]
}

/** The table with a branch in the place of the one with its index, which must be there. */
export function withBranch(table: BranchTable, branch: Branch): BranchTable {
  const place = Math.floor(branch.index / LEAF_SIZE)
  const leaf = table[place]
  return leaf === undefined ? table : table.with(place, leaf.with(branch.index % LEAF_SIZE, branch))
}

/**
 * The table with some branches changed. Leaves of which `isWanted` says no are passed over, and those of
 * which every branch stays the same are kept.
 */
export function changeBranches(
  table: BranchTable,
  isWanted: (tally: BranchTally) => boolean,
  change: (branch: Branch) => Branch,
): BranchTable {
  return table.map((leaf) => {
    if (!isWanted(tallyOfLeaf(leaf))) return leaf
    const next = leaf.map(change)
    return next.every((branch, i) => branch === leaf[i]) ? leaf : next
  })
}

/** The branches of the leaves of which `isWanted` says yes. */
export function branchesWhere(
  table: BranchTable,
  isWanted: (tally: BranchTally) => boolean,
): readonly Branch[] {
  return table.filter((leaf) => isWanted(tallyOfLeaf(leaf))).flat()
}

/** The branches of a table that do not stand at the same place in another. */
export function branchesApart(table: BranchTable, other: BranchTable): readonly Branch[] {
  const apart: Branch[] = []
  table.forEach((leaf, n) => {
    const others = other[n]
    if (leaf !== others) apart.push(...leaf.filter((branch, i) => branch !== others?.[i]))
  })
  return apart
}

const tallies = new WeakMap<BranchTable, BranchTally>()
const leafTallies = new WeakMap<BranchLeaf, BranchTally>()

/** What stands in a table. */
export function tallyOf(table: BranchTable): BranchTally {
  const known = tallies.get(table)
  if (known !== undefined) return known
  const tally: Sum = { ...NOTHING }
  for (const leaf of table) add(tally, tallyOfLeaf(leaf))
  tallies.set(table, tally)
  return tally
}

function tallyOfLeaf(leaf: BranchLeaf): BranchTally {
  const known = leafTallies.get(leaf)
  if (known !== undefined) return known
  const tally: Sum = { ...NOTHING, total: leaf.length }
  for (const branch of leaf) count(tally, branch)
  leafTallies.set(leaf, tally)
  return tally
}

type Sum = { -readonly [K in keyof BranchTally]: BranchTally[K] }

function add(sum: Sum, more: BranchTally): void {
  sum.total += more.total
  sum.waiting += more.waiting
  sum.out += more.out
  sum.claimed += more.claimed
  sum.done += more.done
  sum.failed += more.failed
  sum.dueAt = earliest(sum.dueAt, more.dueAt)
}

function count(sum: Sum, branch: Branch): void {
  switch (branch.kind) {
    case 'waiting':
      sum.waiting += 1
      return
    case 'out':
      sum.out += 1
      if (branch.run.phase.kind === 'claimed') sum.claimed += 1
      sum.dueAt = earliest(sum.dueAt, taskDeadline(branch.run))
      return
    case 'done':
      sum.done += 1
      if (branch.status === 'failure' || branch.status === 'cancelled') sum.failed += 1
      return
    default:
      unreachable(branch)
  }
}
