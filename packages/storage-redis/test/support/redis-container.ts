/** Redis in a container, for machines where a container engine runs. */
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { GenericContainer, Wait } from 'testcontainers'

const IMAGE = 'redis:7-alpine'
const REDIS_PORT = 6379
/** A socket file may outlive its engine, so only an answer counts; a live engine needs milliseconds. */
const ANSWER_WITHIN_MS = 2_000

/** Whether a container engine answers within 2 s. */
export async function findEngine(): Promise<boolean> {
  const answers = await Promise.all(engineAddresses().map((each) => engineAnswers(each)))
  return answers.includes(true)
}

/** Starts Redis in a container, on a port of the engine's choice. */
export async function startRedisContainer(): Promise<{
  readonly url: string
  readonly stop: () => Promise<void>
}> {
  const container = await new GenericContainer(IMAGE)
    .withCommand(['redis-server', '--save', '', '--appendonly', 'no'])
    .withExposedPorts(REDIS_PORT)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start()
    .catch((cause: unknown) => {
      throw new Error(
        `A container engine answers, but ${IMAGE} did not start in it. Pull the image, ` +
          'or set AVTOMATIKA_TEST_REDIS_URL to a Redis that the tests may use.',
        { cause },
      )
    })
  const url = `redis://${container.getHost()}:${container.getMappedPort(REDIS_PORT)}`
  return {
    url,
    stop: async () => {
      await container.stop({ remove: true, removeVolumes: true })
    },
  }
}

/** Where engines listen: as the environment says, else in the usual places. */
function engineAddresses(): readonly EngineAddress[] {
  const given = process.env['DOCKER_HOST']
  if (given !== undefined && given !== '') return addressOf(given)
  const runtimeDir = process.env['XDG_RUNTIME_DIR']
  return [
    '/var/run/docker.sock',
    ...(runtimeDir === undefined ? [] : [join(runtimeDir, 'docker.sock')]),
    join(homedir(), '.docker/run/docker.sock'),
    join(homedir(), '.docker/desktop/docker.sock'),
  ]
    .filter((path) => existsSync(path))
    .map((socketPath) => ({ socketPath }))
}

type EngineAddress =
  { readonly socketPath: string } | { readonly host: string; readonly port: number }

/** @throws when `DOCKER_HOST` names an engine in a way that we cannot ask. */
function addressOf(dockerHost: string): readonly EngineAddress[] {
  const url = URL.parse(dockerHost)
  if (url?.protocol === 'unix:') return [{ socketPath: url.pathname }]
  if (url?.protocol === 'tcp:' || url?.protocol === 'http:') {
    return [{ host: url.hostname, port: Number(url.port || 2375) }]
  }
  throw new Error(
    `DOCKER_HOST is ${dockerHost}; the tests understand unix:// and tcp://. ` +
      'Change it, or set AVTOMATIKA_TEST_REDIS_URL to a Redis that the tests may use.',
  )
}

function engineAnswers(address: EngineAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
    const ping = request({ ...address, path: '/_ping', signal }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    // Nobody there, no permission, too slow: each means that there is no engine for us.
    ping.on('error', () => resolve(false))
    ping.end()
  })
}
