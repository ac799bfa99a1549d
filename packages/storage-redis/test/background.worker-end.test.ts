/** Whoever stops is not kept by a Redis that hears and does not answer. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { endWorker, InProgress } from '../src/background/worker-end.ts'

const silent = { close: () => new Promise<void>(() => undefined) }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

async function endsAfter(ms: number, end: Promise<void>): Promise<void> {
  let hasEnded = false
  void end.then(() => (hasEnded = true))
  await vi.advanceTimersByTimeAsync(ms - 1)
  expect(hasEnded).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(hasEnded).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
}

it('an idle worker has a second to say goodbye', async () => {
  const inProgress = new InProgress()
  await endsAfter(1_000, endWorker(silent, { inProgress, isConnected: true, withinMs: 8_000 }))
})

it('a busy worker has a second from the end of its work on', async () => {
  const inProgress = new InProgress()
  void inProgress.track(new Promise((resolve) => setTimeout(resolve, 3_000)))
  await endsAfter(4_000, endWorker(silent, { inProgress, isConnected: true, withinMs: Infinity }))
})

it('work that does not end is left when the time is up', async () => {
  const inProgress = new InProgress()
  void inProgress.track(new Promise(() => undefined))
  await endsAfter(8_000, endWorker(silent, { inProgress, isConnected: true, withinMs: 8_000 }))
})

it('a worker that says goodbye is waited for no longer', async () => {
  const worker = { close: () => new Promise<void>((resolve) => void setTimeout(resolve, 20)) }
  const inProgress = new InProgress()
  await endsAfter(20, endWorker(worker, { inProgress, isConnected: true, withinMs: 8_000 }))
})
