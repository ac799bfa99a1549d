import { expect, it, vi } from 'vitest'
import { leave, letterFor } from './approval-links.ts'
import { startStack, type Stack } from './support/stack.ts'

interface Asked extends Stack {
  readonly jobId: string
  readonly linkTo: (decision: string) => string
}

async function ask(): Promise<Asked> {
  const stack = await startStack({ blueprints: [leave] })
  const { client, url } = stack
  const { jobId } = await client.createJob('/jobs/leave', { who: 'Ann', days: 3 })
  const letter = await vi.waitFor(() => letterFor(client, jobId, url))
  expect(letter).toContain('Ann asks for 3 days off.')
  const linkTo = (decision: string): string =>
    new RegExp(`^${decision}: (\\S+)$`, 'm').exec(letter)?.[1] ?? ''
  return { ...stack, jobId, linkTo }
}

function decide(link: string, decision: string): Promise<Response> {
  return fetch(link, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ decision }),
  })
}

it('shows a page first; looking decides nothing', async () => {
  const { client, jobId, linkTo } = await ask()
  const page = await fetch(linkTo('approved'))
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('Ann asks for 3 days off.')
  expect((await client.getJob(jobId)).status).toBe('waiting_for_human')
})

it('decides once, without an account', async () => {
  const { client, jobId, linkTo } = await ask()
  expect((await decide(linkTo('approved'), 'approved')).status).toBe(200)
  expect((await client.waitForJob(jobId)).currentState).toBe('granted')
  expect((await decide(linkTo('approved'), 'approved')).status).toBe(409)
})

it('decides only as it was signed for', async () => {
  const { linkTo } = await ask()
  expect((await decide(linkTo('rejected'), 'approved')).status).toBe(403)
  expect((await decide(`${linkTo('approved')}x`, 'approved')).status).toBe(401)
})
