// Threads for handlers that keep a CPU busy.  P1 One task per thread at a time.  P2 Cancellation, deadline
// and shutdown end the thread at once: busy code hears no signal.  P3 A thread that died takes only its own
// task with it, as an error that may pass.  The number of threads is bounded where tasks are admitted.
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { ConfigError } from '@avtomatika/protocol'

import { PoolThread } from './pool-thread.ts'
import type { TaskContext } from './task-context.ts'

/** Runs handlers in threads, which are made when they are needed and kept for the next task. */
export class ThreadPool {
  readonly #idle = new Set<PoolThread>()

  /** A handler that runs in a thread what the file exports. */
  handlerOf(file: URL): (context: TaskContext<unknown>) => Promise<unknown> {
    return (context) => this.#run(file.href, context)
  }

  /** Ends the threads that wait for work. */
  async close(): Promise<void> {
    const threads = [...this.#idle]
    this.#idle.clear()
    await Promise.all(threads.map((thread) => thread.stop()))
  }

  async #run(file: string, context: TaskContext<unknown>): Promise<unknown> {
    const thread = this.#take()
    try {
      return await thread.run(file, context)
    } finally {
      if (thread.isAlive) this.#idle.add(thread)
    }
  }

  #take(): PoolThread {
    for (const thread of this.#idle) {
      this.#idle.delete(thread)
      if (thread.isAlive) return thread
    }
    return new PoolThread()
  }
}

/**
 * Finds the file of a handler.
 *
 * @param file - a `file:` URL, an absolute path, or a path from the folder of the program's main script.
 * @throws {@link ConfigError} `CONFIG_INVALID` when there is no such file.
 */
export function threadFile(file: string | URL): URL {
  const path = pathOf(file)
  if (existsSync(path)) return pathToFileURL(path)
  const message =
    `There is no thread handler at ${path}. Give its place from the module that registers it: ` +
    "new URL('./handler.js', import.meta.url)."
  throw new ConfigError('CONFIG_INVALID', { message, details: { path } })
}

function pathOf(file: string | URL): string {
  if (file instanceof URL || file.startsWith('file:')) return fileURLToPath(file)
  if (isAbsolute(file)) return file
  const main = process.argv[1]
  return resolve(main === undefined ? process.cwd() : dirname(main), file)
}
