import type { Storage } from '@avtomatika/core'

/** What a method of the store is given. */
export type Call<Name extends keyof Storage> = Storage[Name] extends (...args: infer A) => unknown
  ? A[0]
  : never

/** What a method of the store answers. */
export type Answer<Name extends keyof Storage> = Storage[Name] extends (...args: never[]) => infer A
  ? A
  : never
