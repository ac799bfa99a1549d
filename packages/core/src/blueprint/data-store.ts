/** An asynchronous dictionary, as handlers see the plain objects given as `dataStores`. */
export interface DataStore {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<void>
  has(key: string): Promise<boolean>
  delete(key: string): Promise<boolean>
}

/** Plain dictionaries become in-process stores; anything else (a client, a pool) is passed as it is. */
export function asDataStore(given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return given
  const prototype: unknown = Object.getPrototypeOf(given)
  if (prototype !== Object.prototype && prototype !== null) return given
  return inProcessStore(new Map(Object.entries(given)))
}

function inProcessStore(values: Map<string, unknown>): DataStore {
  return {
    get: (key) => Promise.resolve(values.get(key)),
    set: (key, value) => {
      values.set(key, value)
      return Promise.resolve()
    },
    has: (key) => Promise.resolve(values.has(key)),
    delete: (key) => Promise.resolve(values.delete(key)),
  }
}
