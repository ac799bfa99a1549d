/** Like `Promise.all` over a map, with at most `limit` under way at a time. */
export async function mapBounded<Item, Value>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<Value>,
): Promise<readonly Value[]> {
  const values: Value[] = []
  // One iterator for all lanes: each takes the next item when it is done with the one before.
  const queue = items.entries()
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) values[index] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  return values
}
