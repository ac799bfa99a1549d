/** Names of what is loaded and ready: models, indexes, or whole tasks. Tasks that need them come here first. */
export interface HotCache {
  /** Says that these are loaded now. */
  add(...names: readonly string[]): void
  /** Says that these are gone. */
  remove(...names: readonly string[]): void
  has(name: string): boolean
}

/** What is loaded, kept in the order in which it came. */
export class HotNames implements HotCache {
  readonly #names = new Set<string>()
  readonly #onChange: () => void
  #isInUse = false

  /** @param onChange - called after each real change. */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Whether anything was ever loaded: a worker without models need not speak of them. */
  get isInUse(): boolean {
    return this.#isInUse
  }

  get all(): readonly string[] {
    return [...this.#names]
  }

  add(...names: readonly string[]): void {
    const before = this.#names.size
    for (const name of names) this.#names.add(name)
    if (this.#names.size === before) return
    this.#isInUse = true
    this.#onChange()
  }

  remove(...names: readonly string[]): void {
    const gone = names.filter((name) => this.#names.delete(name))
    if (gone.length > 0) this.#onChange()
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }
}
