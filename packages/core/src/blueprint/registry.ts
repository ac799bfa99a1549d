import { BlueprintError } from '@avtomatika/protocol'
import type { BlueprintRef } from '../job/job.ts'
import { handlersOf, type BlueprintDefinition } from './definition.ts'

/** Routes of our own that take POST: under the bare prefix, `v1` and every version in use. */
const OWN_ROUTE = /^(\/[^/]+)?\/(jobs|quarantine\/(retry|discard))$/

/** The blueprints of one engine: by name and version, and by endpoint. */
export class BlueprintRegistry {
  readonly #byKey = new Map<string, BlueprintDefinition>()
  readonly #byEndpoint = new Map<string, BlueprintDefinition>()

  /** @throws BlueprintError `BLUEPRINT_INVALID` for a name and version, or an endpoint, that is taken. */
  add(definition: BlueprintDefinition): void {
    const { name, version, endpoint } = definition
    const key = keyOf(name, version)
    if (this.#byKey.has(key)) {
      const message = `Blueprint '${name}' (${version ?? 'no version'}) is registered twice. Rename one, or give it another version.`
      throw new BlueprintError('BLUEPRINT_INVALID', { message })
    }
    if (endpoint !== null) {
      const route = version === null ? endpoint : `/${version}${endpoint}`
      if (OWN_ROUTE.test(route)) {
        const message = `The endpoint ${endpoint} of blueprint '${name}' is one of the API's own. Use another, for example /jobs/${name}.`
        throw new BlueprintError('BLUEPRINT_INVALID', { message })
      }
      const other = this.#byEndpoint.get(route)
      if (other !== undefined) {
        const message = `Blueprints '${other.name}' and '${name}' share the endpoint ${endpoint}. Give one of them another.`
        throw new BlueprintError('BLUEPRINT_INVALID', { message })
      }
      this.#byEndpoint.set(route, definition)
    }
    this.#byKey.set(key, definition)
  }

  find(ref: Pick<BlueprintRef, 'name' | 'version'>): BlueprintDefinition | undefined {
    return this.#byKey.get(keyOf(ref.name, ref.version))
  }

  /** By name alone: the one without version, else the one registered last. */
  findByName(name: string): BlueprintDefinition | undefined {
    return this.find({ name, version: null }) ?? this.all().findLast((d) => d.name === name)
  }

  /**
   * Checks what only all blueprints together can show.
   * @throws BlueprintError `BLUEPRINT_INVALID` for a literal child that is not registered (D-36).
   */
  assertComplete(): void {
    const problems = this.all().flatMap((blueprint) =>
      [...blueprint.states.values()].flatMap((state) =>
        handlersOf(state)
          .flatMap(({ scan }) => scan.children)
          .filter((child) => this.findByName(child) === undefined)
          .map((child) => `state '${state.name}' of blueprint '${blueprint.name}' runs '${child}'`),
      ),
    )
    if (problems.length === 0) return
    const message = `There is no such blueprint: ${problems.join('; ')}. Register it, or correct the name.`
    throw new BlueprintError('BLUEPRINT_INVALID', { message, details: { problems } })
  }

  all(): readonly BlueprintDefinition[] {
    return [...this.#byKey.values()]
  }
}

function keyOf(name: string, version: string | null): string {
  return version === null ? name : `${name}@${version}`
}
