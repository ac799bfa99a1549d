import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Child {
  /** The first message that it sent: it is up. */
  readonly said: string
  readonly stop: () => Promise<void>
}

/** Starts a module of this folder as a process of its own, and waits until it is up. */
export async function startChild(module: string, args: readonly string[] = []): Promise<Child> {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), args)
  const said = await Promise.race([firstMessage(child), failedStart(child, module)])
  return {
    said,
    stop: async () => {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

async function firstMessage(child: ChildProcess): Promise<string> {
  const message: readonly unknown[] = await once(child, 'message')
  return String(message[0])
}

async function failedStart(child: ChildProcess, module: string): Promise<never> {
  const exit: readonly unknown[] = await once(child, 'exit')
  throw new Error(`${module} ended with code ${String(exit[0])} before it was up.`)
}
