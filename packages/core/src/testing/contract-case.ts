/** One sentence that an implementation of a port must keep. Knows no test runner. */
export interface ContractCase<Port> {
  /** What is promised, with the promise's number. */
  readonly name: string
  /** Opens what it needs, checks the promise and closes again; throws if the promise is broken. */
  readonly run: (open: () => Promise<Port>) => Promise<void>
}

/** A case on one open port, closed afterwards whatever happens. */
export function contractCase<Port extends { close(): Promise<void> }>(
  name: string,
  check: (port: Port) => Promise<void>,
): ContractCase<Port> {
  const run = async (open: () => Promise<Port>): Promise<void> => {
    const port = await open()
    try {
      await check(port)
    } finally {
      await port.close()
    }
  }
  return { name, run }
}
