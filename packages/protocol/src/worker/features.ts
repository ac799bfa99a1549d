/**
 * What our workers and orchestrators can do beyond the older generations. Each side names its own at
 * registration, and uses what both have named; peers that do not know the field ignore it.
 */

/**
 * `acks`: the worker acknowledges every task it is given; one that it does not is offered again.
 * `batch_results`: several results in one message. `batch_events`: several events in one message.
 * `cancel_in_poll`: the answer to a poll may name tasks to abort. `stream`: events of the type
 * `stream` are pieces of a task's output.
 */
export const WORKER_FEATURES = [
  'acks',
  'batch_results',
  'batch_events',
  'cancel_in_poll',
  'stream',
] as const

/** One of {@link WORKER_FEATURES}. */
export type WorkerFeature = (typeof WORKER_FEATURES)[number]

/** Those of a peer's features that we know, in our order. */
export function knownFeatures(said: readonly string[]): WorkerFeature[] {
  return WORKER_FEATURES.filter((feature) => said.includes(feature))
}
