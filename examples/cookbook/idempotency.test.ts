import { ConflictError } from '@avtomatika/client'
import { expect, it } from 'vitest'
import { invoice, invoiceFor } from './idempotency.ts'
import { startStack } from './support/stack.ts'

it('creates one job for one key, also when many ask at once', async () => {
  let printed = 0
  const print = (): void => {
    printed += 1
  }
  const { client } = await startStack({ blueprints: [invoice], tasks: { print } })
  const ids = await Promise.all([1, 2, 3].map(() => invoiceFor(client, 7)))
  expect(new Set(ids).size).toBe(1)
  await client.waitForJob(ids[0] ?? '')
  expect(await invoiceFor(client, 7)).toBe(ids[0])
  expect(printed).toBe(1)
  expect(await invoiceFor(client, 8)).not.toBe(ids[0])
})

it('refuses the key for another request', async () => {
  const { client } = await startStack({ blueprints: [invoice] })
  await invoiceFor(client, 7)
  const other = client.createJob('/jobs/invoices', { order: 8 }, { idempotencyKey: 'invoice-7' })
  await expect(other).rejects.toSatisfy((error) => ConflictError.is(error))
})
