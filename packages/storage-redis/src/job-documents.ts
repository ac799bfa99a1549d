/**
 * How a job is kept: its document, and beside it the branches that it waits for, leaf by leaf.
 *
 * A fan-out to ten thousand branches is a document of megabytes that changes with each of them. A leaf is
 * never changed, it is replaced; so one that was written or read before needs not be written again. Each
 * has a mark of its own, and the script of the commit makes sure that the leaves it is not sent are those
 * that it has: if not (Redis may have lost the last second), the write is refused like any that comes late.
 */
import { InternalError } from '@avtomatika/protocol'
import type { Job } from '@avtomatika/core'
import { decode, encode } from './codec.ts'

type Branches = Extract<Job['wait'], { readonly for: 'branches' }>['branches']
type Leaf = Branches[number]

/** Where a leaf is kept, and under which mark. */
interface Place {
  readonly jobId: string
  readonly index: number
  readonly mark: string
}

interface KeptLeaf {
  readonly leaf: Leaf
  readonly place: Place
  /** What is to be written; left out, it is there. */
  readonly bytes?: Buffer
}

/** What is to be written of a job. */
export interface JobParts {
  readonly document: Buffer
  readonly leaves: readonly KeptLeaf[]
}

/** A hash as Redis answers it. */
export type Fields = Readonly<Record<string, Buffer | undefined>>

/** Leaves of a job in their places, and their marks with spaces between. */
export interface KnownLeaves {
  readonly leaves: Branches
  readonly marks: string
}

/** Jobs whose leaves may still be there; a job of none is read as a whole. */
const MAX_TABLES = 1_000

export class JobDocuments {
  /** Tells our marks from others'. */
  readonly #origin: string
  readonly #places = new WeakMap<Leaf, Place>()
  /** By job; the one that was used longest ago stands first. */
  readonly #tables = new Map<string, WeakRef<Branches>>()
  #marks = 0

  constructor(origin: string) {
    this.#origin = origin
  }

  /** Takes a job apart. */
  partsOf(job: Job): JobParts {
    const { wait } = job
    if (wait?.for !== 'branches') return { document: encode(job), leaves: [] }
    const leaves = wait.branches.map((leaf, index) => this.#kept(job.id, leaf, index))
    return { document: encode({ ...job, wait: { ...wait, branches: [] } }), leaves }
  }

  /** The parts of a job are written: its leaves need not be sent again. */
  noteWritten(job: Job, { leaves }: JobParts): void {
    this.#keep(job)
    for (const { leaf, place, bytes } of leaves) {
      if (bytes !== undefined) this.#places.set(leaf, place)
    }
  }

  /** The leaves of a job that this process still has, if any: they need not be sent to it. */
  known(jobId: string): KnownLeaves | undefined {
    const leaves = this.#tables.get(jobId)?.deref()
    return (
      leaves && {
        leaves,
        marks: leaves.map((leaf) => this.#places.get(leaf)?.mark ?? '?').join(' '),
      }
    )
  }

  /**
   * Like {@link jobIn}, for a job that may be written again.
   * @param known - the leaves that were not asked for.
   */
  read(fields: Fields, known?: KnownLeaves): Job | undefined {
    const job = jobIn(fields, known?.leaves)
    if (job?.wait?.for !== 'branches') return job
    const marks = marksIn(fields)
    for (const [index, leaf] of job.wait.branches.entries()) {
      this.#places.set(leaf, { jobId: job.id, index, mark: marks[index] ?? '' })
    }
    this.#keep(job)
    return job
  }

  /** Remembers a job's leaves for as long as anybody else does. */
  #keep({ id, wait }: Job): void {
    this.#tables.delete(id)
    if (wait?.for !== 'branches') return
    this.#tables.set(id, new WeakRef(wait.branches))
    const [oldest = id] = this.#tables.keys()
    if (this.#tables.size > MAX_TABLES) this.#tables.delete(oldest)
  }

  #kept(jobId: string, leaf: Leaf, index: number): KeptLeaf {
    const known = this.#places.get(leaf)
    if (known?.jobId === jobId && known.index === index) return { leaf, place: known }
    this.#marks += 1
    const mark = `${this.#origin}.${this.#marks.toString(36)}`
    return { leaf, place: { jobId, index, mark }, bytes: encode(leaf) }
  }
}

/**
 * Puts a job together.
 * @param known - leaves for the places of which there is none among the fields.
 * @returns `undefined` if there is none.
 * @throws InternalError `INTERNAL` when a part of it is missing.
 */
export function jobIn(fields: Fields, known: Branches = []): Job | undefined {
  if (fields['d'] === undefined) return undefined
  const job = decode<Job>(fields['d'])
  if (job.wait?.for !== 'branches') return job
  const branches = marksIn(fields).map((_, index) => {
    const bytes = fields[`b${String(index)}`]
    const leaf = bytes === undefined ? known[index] : decode<Leaf>(bytes)
    if (leaf !== undefined) return leaf
    const message = `Branches of job ${job.id} are missing in Redis (leaf ${String(index)}).`
    throw new InternalError('INTERNAL', { message })
  })
  return { ...job, wait: { ...job.wait, branches } }
}

function marksIn({ m: marks }: Fields): readonly string[] {
  return marks === undefined || marks.length === 0 ? [] : marks.toString().split(' ')
}
