import { UnavailableError } from '@avtomatika/protocol'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ReadinessCheck } from '../src/engine/readiness.ts'
import { OrchestratorEngine, systemClock, type Clock } from '../src/index.ts'
import { silentLog } from '../src/ports/log.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

/** Answers `ping` as it is told to. */
class MoodyStorage {
  pings = 0
  mood: () => Promise<void> = () => Promise.resolve()
  readonly storage = overlay(openStorage(), {
    ping: () => {
      this.pings += 1
      return this.mood()
    },
  })
}

const never = (): Promise<void> => new Promise(() => undefined)

async function serve(clock: Clock = systemClock): Promise<{
  readonly moody: MoodyStorage
  readonly ready: () => Promise<Response>
  readonly status: () => Promise<Response>
}> {
  const moody = new MoodyStorage()
  const logger = pino({ level: 'silent' })
  const engine = new OrchestratorEngine({
    storage: moody.storage,
    logger,
    clock,
    config: { port: 0 },
  })
  onTestFinished(() => engine.stop())
  const url = await engine.start()
  const get = (path: string): Promise<Response> => fetch(url + path)
  return { moody, ready: () => get('/_public/ready'), status: () => get('/_public/status') }
}

describe('GET /_public/ready', () => {
  it('says yes to anybody while the store answers', async () => {
    const { ready } = await serve()
    const answer = await ready()
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ status: 'ready' })
  })

  it('says no, why, and when to ask again, while the store is away; the process lives', async () => {
    const { moody, ready, status } = await serve()
    const message = 'The storage is away; try again.'
    moody.mood = () => Promise.reject(new UnavailableError('STORAGE_UNAVAILABLE', { message }))
    const answer = await ready()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toEqual({ status: 'unavailable', reason: message })
    expect((await status()).status).toBe(200)
    moody.mood = () => Promise.resolve()
    expect((await ready()).status).toBe(200)
  })

  it('tells nobody what an error that is not ours says', async () => {
    const { moody, ready } = await serve()
    moody.mood = () => Promise.reject(new Error('password secret is wrong'))
    const answer = await ready()
    expect(answer.status).toBe(503)
    expect(await answer.text()).not.toContain('secret')
  })

  it('does not wait longer than 2 s for a store that says nothing', async () => {
    const limits: (() => void)[] = []
    const after: Clock['after'] = (ms, callback) => {
      if (ms !== 2_000) return systemClock.after(ms, callback)
      limits.push(callback)
      return () => undefined
    }
    const { moody, ready } = await serve({ now: () => systemClock.now(), after })
    const asked = new Promise<void>((resolve) => {
      moody.mood = () => {
        resolve()
        return never()
      }
    })
    const answering = ready()
    await asked
    for (const pass of limits) pass()
    const answer = await answering
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ reason: expect.stringContaining('2000 ms') })
  })

  it('asks the store once for all who ask at the same time', async () => {
    const moody = new MoodyStorage()
    const check = new ReadinessCheck({ storage: moody.storage, clock: systemClock, log: silentLog })
    const answers = await Promise.all([check.run(), check.run(), check.run()])
    expect(answers.map(({ isReady }) => isReady)).toEqual([true, true, true])
    expect(moody.pings).toBe(1)
    await check.run()
    expect(moody.pings).toBe(2)
  })
})
