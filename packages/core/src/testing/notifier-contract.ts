/** What every `Notifier` must pass; see `storageContract` for how to run it. Takes real time. */
import assert from 'node:assert/strict'
import { UnavailableError } from '@avtomatika/protocol'
import type { BackoffPolicy } from '../job/retry.ts'
import type { Notification, Notifier, WebhookCall, WebhookVerdict } from '../ports/notifier.ts'
import { T0 } from './builders.ts'
import { contractCase, type ContractCase } from './contract-case.ts'
import { eventually } from './eventually.ts'

export interface NotifierBenchOptions {
  readonly call: WebhookCall
  readonly attempts: number
  readonly backoff: BackoffPolicy
}

/** A place with one queue of deliveries. */
export interface NotifierBench {
  /** A notifier that works on the queue; stopped by `close` at the latest. */
  open(options: NotifierBenchOptions): Promise<Notifier>
  close(): Promise<void>
}

const DELIVERED: WebhookVerdict = { kind: 'delivered' }
const AGAIN: WebhookVerdict = { kind: 'again', reason: 'answered 503' }
const REFUSED: WebhookVerdict = { kind: 'refused', reason: 'answered 410' }
const ATTEMPTS = 3
const BACKOFF: BackoffPolicy = { initialMs: 5, factor: 1, maxMs: 5, jitter: 0 }

function aNotification(fields: Partial<Notification> = {}): Notification {
  return {
    id: 'job-1:7:0',
    jobId: 'job-1',
    ownerId: 'client-1',
    url: 'https://hooks.example.com/secret-path?key=secret',
    event: 'job_finished',
    status: 'finished',
    result: { list: [1, null], text: 'ö' },
    error: null,
    at: T0,
    ...fields,
  }
}

/** A receiver that answers from a list; the last answer stays. */
class Receiver {
  readonly called: Notification[] = []
  readonly #answers: WebhookVerdict[]

  constructor(...answers: readonly WebhookVerdict[]) {
    this.#answers = [...answers]
  }

  readonly call: WebhookCall = (notification) => {
    this.called.push(notification)
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0]
    return Promise.resolve(answer ?? DELIVERED)
  }

  answer(...answers: readonly WebhookVerdict[]): void {
    this.#answers.splice(0, this.#answers.length, ...answers)
  }

  ids(): readonly string[] {
    return this.called.map(({ id }) => id)
  }
}

function notifierCase(
  name: string,
  check: (notifier: Notifier, receiver: Receiver) => Promise<void>,
): ContractCase<NotifierBench> {
  return contractCase(name, async (bench) => {
    const receiver = new Receiver(DELIVERED)
    const options = { call: receiver.call, attempts: ATTEMPTS, backoff: BACKOFF }
    await check(await bench.open(options), receiver)
  })
}

async function deadIds(notifier: Notifier, ownerId?: string): Promise<readonly string[]> {
  return (await notifier.listDeadLetters({ ownerId, limit: 100 })).map(({ id }) => id)
}

/** Hands these in, one after the other, and waits until each is a dead letter. */
async function killed(notifier: Notifier, ...all: readonly Notification[]): Promise<void> {
  for (const each of all) {
    await notifier.notify(each)
    await eventually(async () => (await deadIds(notifier)).includes(each.id))
  }
}

const deliveryCases: readonly ContractCase<NotifierBench>[] = [
  notifierCase(
    'a notification is delivered as it was handed in, once',
    async (notifier, receiver) => {
      await notifier.notify(aNotification())
      await notifier.notify(aNotification({ id: 'other:1:0' }))
      await eventually(() => receiver.called.length === 2)
      assert.deepEqual(receiver.called[0], aNotification())
      assert.deepEqual(await deadIds(notifier), [])
    },
  ),
  notifierCase(
    'one that is under way is sent once, however often it comes',
    async (notifier, receiver) => {
      receiver.answer(AGAIN, DELIVERED)
      await Promise.all([1, 2, 3].map(() => notifier.notify(aNotification())))
      await eventually(() => receiver.called.length === 2)
      await notifier.notify(aNotification({ id: 'last:1:0' }))
      await eventually(() => receiver.ids().includes('last:1:0'))
      assert.deepEqual(receiver.ids(), ['job-1:7:0', 'job-1:7:0', 'last:1:0'])
    },
  ),
  notifierCase('what may pass is tried again (D-71)', async (notifier, receiver) => {
    receiver.answer(AGAIN, AGAIN, DELIVERED)
    await notifier.notify(aNotification())
    await eventually(() => receiver.called.length === 3)
    assert.deepEqual(await deadIds(notifier), [])
  }),
  notifierCase('after its stop a notifier takes nothing', async (notifier) => {
    await notifier.stop()
    await assert.rejects(notifier.notify(aNotification()), UnavailableError.is)
    await assert.rejects(notifier.resend('any'), UnavailableError.is)
  }),
]

const deadLetterCases: readonly ContractCase<NotifierBench>[] = [
  notifierCase(
    'out of attempts, a call is a dead letter without its URL',
    async (notifier, receiver) => {
      receiver.answer(AGAIN)
      await killed(notifier, aNotification())
      assert.equal(receiver.called.length, ATTEMPTS)
      const [letter] = await notifier.listDeadLetters({ limit: 1 })
      const { failedAt, ...said } = letter ?? { failedAt: NaN }
      assert.ok(failedAt > 0)
      assert.deepEqual(said, {
        id: 'job-1:7:0',
        jobId: 'job-1',
        event: 'job_finished',
        host: 'hooks.example.com',
        attempts: ATTEMPTS,
        reason: 'answered 503',
      })
      assert.doesNotMatch(JSON.stringify(letter), /secret/)
    },
  ),
  notifierCase('what is refused is a dead letter at once', async (notifier, receiver) => {
    receiver.answer(REFUSED)
    await killed(notifier, aNotification())
    assert.equal(receiver.called.length, 1)
    const [letter] = await notifier.listDeadLetters({ limit: 1 })
    assert.deepEqual([letter?.attempts, letter?.reason], [1, 'answered 410'])
  }),
  notifierCase(
    'dead letters are listed newest first, an owner’s only to it',
    async (notifier, receiver) => {
      receiver.answer(REFUSED)
      const [a, b, c] = ['a:1:0', 'b:1:0', 'c:1:0']
      await killed(
        notifier,
        aNotification({ id: a }),
        aNotification({ id: b, ownerId: 'client-2' }),
      )
      await killed(notifier, aNotification({ id: c }))
      assert.deepEqual(await deadIds(notifier), [c, b, a])
      assert.deepEqual(await deadIds(notifier, 'client-1'), [c, a])
      assert.deepEqual(await deadIds(notifier, 'nobody'), [])
      const first = await notifier.listDeadLetters({ ownerId: 'client-1', limit: 1 })
      assert.deepEqual(
        first.map(({ id }) => id),
        [c],
      )
    },
  ),
  notifierCase(
    'a dead letter is sent again when asked for, with all its attempts',
    async (notifier, receiver) => {
      receiver.answer(REFUSED)
      await killed(notifier, aNotification())
      receiver.answer(AGAIN, AGAIN, DELIVERED)
      assert.equal(await notifier.resend('job-1:7:0', 'client-1'), true)
      await eventually(() => receiver.called.length === 4)
      assert.deepEqual(receiver.called[3], aNotification())
      assert.deepEqual(await deadIds(notifier), [])
      assert.equal(await notifier.resend('job-1:7:0'), false)
    },
  ),
  notifierCase('one that fails again is a dead letter again', async (notifier, receiver) => {
    receiver.answer(REFUSED)
    await killed(notifier, aNotification())
    receiver.answer(AGAIN)
    assert.equal(await notifier.resend('job-1:7:0'), true)
    await eventually(async () => (await deadIds(notifier)).length === 1)
    const [letter] = await notifier.listDeadLetters({ limit: 1 })
    assert.deepEqual([letter?.attempts, letter?.reason], [ATTEMPTS, 'answered 503'])
  }),
  notifierCase(
    'nobody sends another’s dead letter, or one that is not there',
    async (notifier, receiver) => {
      receiver.answer(REFUSED)
      await killed(notifier, aNotification())
      assert.equal(await notifier.resend('job-1:7:0', 'client-2'), false)
      assert.equal(await notifier.resend('job-1:8:0', 'client-1'), false)
      assert.deepEqual(await deadIds(notifier), ['job-1:7:0'])
    },
  ),
  notifierCase('a dead letter that is handed in again stays one', async (notifier, receiver) => {
    receiver.answer(REFUSED)
    await killed(notifier, aNotification())
    await notifier.notify(aNotification())
    await killed(notifier, aNotification({ id: 'last:1:0' }))
    assert.deepEqual(receiver.ids(), ['job-1:7:0', 'last:1:0'])
  }),
]

/** The promises of `Notifier`, one case each. */
export const notifierContract: readonly ContractCase<NotifierBench>[] = [
  ...deliveryCases,
  ...deadLetterCases,
]
