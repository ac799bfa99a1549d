/** Ports that a process can come back to after each of its deaths. */
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below the ports that systems lend to outgoing connections: one of these could take the port while its
 * process is dead, or a client that keeps dialling it could end up connected to itself.
 */
const FIRST_PORT = 10_000
const PORTS = 20_000
const TRIES = 20

/** @throws when none was found. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
    if (await isFree(port)) return port
  }
  throw new Error(`No free port found between ${FIRST_PORT} and ${FIRST_PORT + PORTS - 1}.`)
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}
