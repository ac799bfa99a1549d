/** Header names of the contract, in lower case as Node.js reports them. */
export const HEADERS = {
  /** Token of a client of the public API. */
  clientToken: 'x-client-token',
  /** Name of the client token in the first generation; {@link HEADERS.clientToken} wins if both are sent. */
  legacyClientToken: 'x-avtomatika-token',
  /** Token of a worker. */
  workerToken: 'x-worker-token',
  /** Id of the sending worker; only newer generations send it. */
  workerId: 'x-worker-id',
  /** Protocol version of the sender; never a reason to refuse. */
  protocolVersion: 'x-rxon-version',
  /** Makes the creation of a job safe to repeat. */
  idempotencyKey: 'idempotency-key',
  /** Comma list of optional features the sender understands; peers that do not know it ignore it. */
  features: 'x-avtomatika-features',
} as const
