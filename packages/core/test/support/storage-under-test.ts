/**
 * The storage that the tests of the engine run on. Here it is the one in memory; a package with another
 * storage runs the very same test files on its own, by calling `runTestsOn` in a setup file.
 */
import { onTestFinished } from 'vitest'
import { MemoryStorage } from '../../src/memory/index.ts'
import type { Storage } from '../../src/ports/storage.ts'
import { StorageCalls } from '../../src/testing/storage-calls.ts'

/** Makes an empty storage; its `close` leaves nothing behind. */
type OpenStorage = () => Promise<Storage>

type Call = (...args: readonly unknown[]) => unknown

const inMemory: OpenStorage = () => Promise.resolve(new MemoryStorage())
let open = inMemory
const calls = new StorageCalls()

export function runTestsOn(openStorage: OpenStorage): void {
  open = openStorage
}

/** Whether a call costs nothing but memory. */
export function isInProcess(): boolean {
  return open === inMemory
}

/** An empty storage for one test, closed after it. Calls wait until it is open. */
export function openStorage(): Storage {
  const opening = open()
  // Whoever calls is told; a test that never calls need not know.
  opening.catch(() => undefined)
  onTestFinished(async () => (await opening).close())
  return calls.watch(lateStorage(opening))
}

/** The storage, with some of its calls done differently. */
export function overlay(storage: Storage, own: Partial<Storage>): Storage {
  return new Proxy(storage, {
    get: (target, name) => Reflect.get(Object.hasOwn(own, name) ? own : target, name),
  })
}

/**
 * Resolves when nothing can go on without a timer: the storages of this test have answered everything,
 * and what their answers set going has come to rest.
 */
export function settled(): Promise<void> {
  return calls.settled()
}

function lateStorage(opening: Promise<Storage>): Storage {
  const late: Pick<Storage, 'onHint'> = { onHint: (listener) => lateHints(opening, listener) }
  // Every other call of the port is a promise, so that it can wait.
  return new Proxy(late as Storage, {
    get: (target, name) => (name in target ? Reflect.get(target, name) : lateCall(opening, name)),
  })
}

function lateCall(opening: Promise<Storage>, name: string | symbol): Call | undefined {
  // What has a `then` would be taken for a promise.
  if (name === 'then') return undefined
  return async (...args) => {
    const storage = await opening
    return (Reflect.get(storage, name) as Call).apply(storage, [...args])
  }
}

function lateHints(
  opening: Promise<Storage>,
  listener: Parameters<Storage['onHint']>[0],
): () => void {
  let isOver = false
  let stop = (): void => undefined
  const listening = opening.then((storage) => {
    if (!isOver) stop = storage.onHint(listener)
  })
  listening.catch(() => undefined)
  return () => {
    isOver = true
    stop()
  }
}
