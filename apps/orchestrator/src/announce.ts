/** The first lines of the log: where it runs, and how to talk to it. */
import { clientPaths } from '@avtomatika/protocol'
import type { Logger } from 'pino'
import type { Environment } from './environment.ts'
import type { LoadedBlueprint } from './load-blueprints.ts'

export interface Announcement {
  /** Where the server listens, as the server says it. */
  readonly address: string
  readonly environment: Environment
  readonly blueprints: readonly LoadedBlueprint[]
}

/** Tells a newcomer everything needed for a first job. */
export function announce(log: Logger, { address, environment, blueprints }: Announcement): void {
  const url = reachableUrl(address, environment.host)
  const { apiPrefix } = environment
  log.info({ url }, `Avtomatika is running on ${url}`)
  for (const { blueprint } of blueprints) {
    const { name, version, endpoint } = blueprint.define()
    const paths = clientPaths(apiPrefix, version ?? undefined)
    // Blueprints without an endpoint are created by name, on the generic route.
    const path = endpoint === null ? paths.jobs : paths.createJob(endpoint)
    log.info({ blueprint: name, path }, `Blueprint ${name}: POST ${path}`)
  }
  const { base } = clientPaths(apiPrefix, 'v1')
  log.info(
    `Clients: send CLIENT_TOKEN in the header X-Client-Token; read a job with GET ${base}/jobs/{id}`,
  )
  log.info(`Workers: ${workerAdvice(environment)}`)
  if (environment.redis === undefined) {
    log.info(
      'Jobs are kept in memory and end with this process; set REDIS_URL or REDIS_HOST to keep them in Redis',
    )
  }
  if (environment.approvalAuth === 'open') {
    log.warn('APPROVAL_AUTH is open: anybody who knows the id of a job can decide its approvals')
  }
}

function workerAdvice({ workerToken, workersFile, workerAuthMode }: Environment): string {
  if (workerAuthMode === 'mtls-only') return 'connect with client certificates'
  const own = 'a token of WORKERS_CONFIG_PATH'
  const tokens = workerToken === undefined ? own : 'GLOBAL_WORKER_TOKEN'
  const more = workerToken !== undefined && workersFile !== undefined ? `, or ${own},` : ''
  return `send ${tokens}${more} in the header X-Worker-Token`
}

/** A wildcard address can be listened on, but not be called. */
function reachableUrl(address: string, host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return address
  const { protocol, port } = new URL(address)
  return `${protocol}//localhost:${port || (protocol === 'https:' ? '443' : '80')}`
}
