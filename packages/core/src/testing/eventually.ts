/** Looks until a claim holds; fails when it does not come true in time. For what runs in real time. */
export async function eventually(
  isTrue: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const giveUpAt = performance.now() + withinMs
  while (!(await isTrue())) {
    if (performance.now() > giveUpAt) throw new Error(`It never came true: ${String(isTrue)}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
