import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a child can be asked: an orchestrator for its memory, all for the time that they have had of the processors. */
export type ChildWord = 'memory' | 'cpu'

export interface Child {
  /** The first message that it sent: it is up. */
  readonly said: string
  /** Sends a word and waits for the answer. */
  readonly ask: (word: ChildWord) => Promise<string>
  readonly stop: () => Promise<void>
}

/** Starts a module of this folder as a process of its own, and waits until it is up. */
export async function startChild(
  module: string,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Promise<Child> {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), args, {
    execArgv: [...execArgv],
  })
  const said = await Promise.race([firstMessage(child), failedStart(child, module)])
  return {
    said,
    ask: async (word) => {
      const answer = firstMessage(child)
      child.send(word)
      return answer
    },
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
