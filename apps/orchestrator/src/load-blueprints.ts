/** Finds the blueprints in a folder of modules. */
import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AnyBlueprint } from '@avtomatika/core'
import { BlueprintError, ConfigError } from '@avtomatika/protocol'

/** A blueprint and the module that it came from. */
export interface LoadedBlueprint {
  readonly blueprint: AnyBlueprint
  /** The module's file name, without the folder. */
  readonly file: string
}

/**
 * Loads every `.js`, `.mjs` and `.ts` module of a folder, not of folders inside it, in the order of
 * their names, and returns the blueprints that they export.
 *
 * @throws ConfigError `CONFIG_INVALID` when the folder cannot be read or holds no blueprint.
 * @throws BlueprintError `BLUEPRINT_INVALID` naming the module that could not be loaded, and why.
 */
export async function loadBlueprints(dir: string): Promise<readonly LoadedBlueprint[]> {
  const folder = resolve(dir)
  const files = await moduleFiles(folder)
  const found = new Map<AnyBlueprint, LoadedBlueprint>()
  for (const file of files) {
    for (const value of await exportsOf(folder, file)) {
      // An index that exports again what another module exports adds nothing.
      if (isBlueprint(value) && !found.has(value)) found.set(value, { blueprint: value, file })
    }
  }
  if (found.size > 0) return [...found.values()]
  const seen =
    files.length === 0 ? 'it has no .js, .mjs or .ts file' : `none in ${files.join(', ')}`
  const message = `BLUEPRINTS_DIR ${folder} holds no blueprint (${seen}). Export one: export const hello = new Blueprint('hello', …).`
  throw new ConfigError('CONFIG_INVALID', { message })
}

async function moduleFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
    return names.filter(isModule).toSorted()
  } catch (cause) {
    const message = `BLUEPRINTS_DIR ${folder} cannot be read: ${reasonOf(cause)}. Set it to the folder with the modules of your blueprints.`
    throw new ConfigError('CONFIG_INVALID', { message, cause })
  }
}

function isModule(name: string): boolean {
  return /\.(js|mjs|ts)$/.test(name) && !name.endsWith('.d.ts') && !name.startsWith('.')
}

async function exportsOf(folder: string, file: string): Promise<unknown[]> {
  try {
    const module = (await import(pathToFileURL(resolve(folder, file)).href)) as Record<
      string,
      unknown
    >
    return Object.values(module)
  } catch (cause) {
    const message = `Blueprint module ${resolve(folder, file)} could not be loaded: ${reasonOf(cause)}`
    throw new BlueprintError('BLUEPRINT_INVALID', { message, cause })
  }
}

/** By its shape, not by its class: the folder may have a copy of the core package of its own. */
function isBlueprint(value: unknown): value is AnyBlueprint {
  if (typeof value !== 'object' || value === null) return false
  const { name, check, define } = value as Record<string, unknown>
  return typeof name === 'string' && typeof check === 'function' && typeof define === 'function'
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause ? cause.code : undefined
  if (code === 'ENOENT') return 'it does not exist'
  if (code === 'ENOTDIR') return 'it is a file, not a folder'
  return cause.name === 'Error' ? cause.message : `${cause.name}: ${cause.message}`
}
