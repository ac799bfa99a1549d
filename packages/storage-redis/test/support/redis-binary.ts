/** The redis-server of this machine; a Debian machine without one gets it installed. */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const NAMES = ['redis-server', 'valkey-server']
const INSTALL_TIMEOUT_MS = 180_000
const WHAT_TO_DO =
  'Set AVTOMATIKA_TEST_REDIS_URL, start a container engine, or install redis-server (or valkey-server) 6.2 or newer.'

/**
 * The path of a server to start, installed first where that is possible.
 *
 * @throws when there is none and none can be installed; the message says what to do.
 */
export async function redisBinary(): Promise<string> {
  const found = findBinary()
  if (found !== undefined) return found
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) {
    throw new Error(`The tests need a Redis, and found none. ${WHAT_TO_DO}`)
  }
  await installRedis()
  const installed = findBinary()
  if (installed !== undefined) return installed
  throw new Error(`redis-server was installed but is not on the PATH. ${WHAT_TO_DO}`)
}

function findBinary(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((each) => each !== '')
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A fresh machine may have no package lists yet, so the second try fetches them. */
async function installRedis(): Promise<void> {
  const install = ['install', '-y', '--no-install-recommends', 'redis-server']
  try {
    await aptGet(install)
  } catch {
    try {
      await aptGet(['update'])
      await aptGet(install)
    } catch (cause) {
      throw new Error(`The tests need a Redis, and apt-get could not install one. ${WHAT_TO_DO}`, {
        cause,
      })
    }
  }
}

async function aptGet(args: readonly string[]): Promise<void> {
  await promisify(execFile)('apt-get', ['-o', 'DPkg::Lock::Timeout=60', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: INSTALL_TIMEOUT_MS,
  })
}
