/**
 * Like `Promise.all`, but ends when all have ended, well or not: nothing goes on that nobody waits for.
 * @throws what the first of them that failed threw.
 */
export async function allEnded<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}
