/** People decide over HTTP: with a token, with a one-time link, or, where it is open, just so. */
import { runInNewContext } from 'node:vm'
import { fastify } from 'fastify'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ApprovalLinks } from '../src/engine/jobs/approval-links.ts'
import { Blueprint, OrchestratorEngine } from '../src/index.ts'
import type { ApprovalWait } from '../src/job/wait.ts'
import { until } from './support/engine-world.ts'
import { APPROVAL_SECRET, LiveServer, TOKENS, type Answer } from './support/live-server.ts'
import { openStorage } from './support/storage-under-test.ts'

const MESSAGE = `Ship <img src=x onerror="alert(1)"> & 'more'?`

/** Asks twice; ends with what the person said the second time. */
function ask(): Blueprint {
  return new Blueprint('ask')
    .state('start', { start: true }, ({ actions }) => {
      actions.awaitHumanApproval({
        integration: 'mail',
        message: MESSAGE,
        transitions: { approved: 'second', rejected: 'refused' },
        timeout: 3600,
      })
    })
    .state('second', ({ actions }) => {
      actions.awaitHumanApproval({
        integration: 'mail',
        message: 'Really?',
        transitions: { approved: 'done', rejected: 'refused' },
      })
    })
    .state('done', { end: true }, ({ approval }) => ({ ...approval }))
    .state('refused', { end: 'failed' }, ({ approval }) => ({ ...approval }))
}

const pathOf = (jobId: string): string => `/_public/webhooks/approval/${jobId}`

interface ApprovalFields {
  readonly id: string
  readonly links: Record<string, string>
}

function approvalOf(job: Record<string, unknown>): ApprovalFields {
  return job['approval'] as ApprovalFields
}

function errorOf({ status, body }: Answer): unknown[] {
  return [status, body['code'], body['error']]
}

async function asked(
  server: LiveServer,
): Promise<{ jobId: string; links: Record<string, string> }> {
  const jobId = await server.create('ask')
  const job = await server.jobIn('waiting_for_human', jobId)
  return { jobId, links: approvalOf(job).links }
}

describe('a job that waits for a person', () => {
  it('shows its owner what is asked, and a link for each decision', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId } = await asked(server)
    const job = await server.job(jobId)
    const link = expect.stringMatching(
      new RegExp(`^/_public/webhooks/approval/${jobId}\\?token=[\\w.-]+$`),
    )
    expect(job).toMatchObject({ status: 'waiting_for_human', current_state: 'start' })
    expect(job['approval']).toEqual({
      id: expect.any(String),
      integration: 'mail',
      message: MESSAGE,
      decisions: ['approved', 'rejected'],
      expires_at: new Date(Date.parse(String(job['updated_at'])) + 3_600_000).toISOString(),
      links: { approved: link, rejected: link },
    })
  })

  it('shows an admin what is asked, but no links: those are for its owner', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId } = await asked(server)
    const approval = approvalOf(await server.job(jobId, 'admin'))
    expect(approval).toMatchObject({ message: MESSAGE })
    expect(approval.links).toEqual({})
  })

  it('gives the paths of its links below the mount point of a host', async () => {
    const engine = new OrchestratorEngine({
      storage: openStorage(),
      logger: pino({ level: 'silent' }),
      config: { clients: [{ token: TOKENS.owner }] },
    })
    const app = fastify()
    await app.register(engine.register(ask()).plugin, { prefix: '/flows' })
    onTestFinished(() => app.close())
    const headers = { 'x-client-token': TOKENS.owner }
    const payload = { blueprint: 'ask' }
    const url = '/flows/api/jobs'
    const created = await app.inject({ method: 'POST', url, headers, payload })
    const { job_id: jobId } = created.json<{ job_id: string }>()
    let job: Record<string, unknown> = {}
    await until(async () => {
      job = (await app.inject({ url: `/flows/api/jobs/${jobId}`, headers })).json()
      return job['status'] === 'waiting_for_human'
    })
    const link = approvalOf(job).links['approved'] ?? ''
    expect(link).toMatch(/^\/flows\/_public\//)
    expect((await app.inject(link)).statusCode).toBe(200)
    const decided = await app.inject({
      method: 'POST',
      url: link,
      payload: { decision: 'approved' },
    })
    expect(decided.statusCode).toBe(200)
  })
})

describe("a decision with the owner's token", () => {
  it('moves the job, and is kept with who, why and what (D-33)', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId } = await asked(server)
    const said = { actor: 'Ada', comment: 'fine', data: { limit: 3 } }
    const first = await server.post(pathOf(jobId), { decision: 'approved', ...said })
    expect([first.status, first.body]).toEqual([
      200,
      { status: 'approval_received', job_id: jobId },
    ])
    await until(async () => (await server.job(jobId))['current_state'] === 'second')
    await server.jobIn('waiting_for_human', jobId)
    await server.post(pathOf(jobId), { decision: 'approved' })
    const job = await server.jobIn('finished', jobId)
    // Nobody said who: then it is the client whose token it was.
    expect(job['result']).toMatchObject({ decision: 'approved', actor: 'owner', comment: null })
    const rows = await server.history(jobId)
    const decided = rows.filter((row) => row['event_type'] === 'approval_decided')
    expect(decided.map((row) => row['context_snapshot'])).toMatchObject([
      { details: { decision: 'approved', ...said } },
      { details: { decision: 'approved', actor: 'owner' } },
    ])
  })

  it('may come from an admin, who then is the one that decided', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId } = await asked(server)
    const reply = await server.post(pathOf(jobId), { decision: 'rejected' }, 'admin')
    expect(reply.status).toBe(200)
    const job = await server.jobIn('failed', jobId)
    expect(job['result']).toMatchObject({ actor: 'admin' })
  })

  it.each([
    ['{"decision":', [400, 'INVALID_JSON', 'Invalid JSON body']],
    ['[]', [400, 'INVALID_JSON', 'Invalid JSON body']],
    [{}, [400, 'DECISION_MISSING', 'decision is required in body']],
    [{ decision: '' }, [400, 'DECISION_MISSING', 'decision is required in body']],
    [
      { decision: 'maybe' },
      [
        400,
        'DECISION_INVALID',
        "Invalid decision 'maybe' for this job; possible are: approved, rejected.",
      ],
    ],
    [
      { decision: 'constructor' },
      [
        400,
        'DECISION_INVALID',
        "Invalid decision 'constructor' for this job; possible are: approved, rejected.",
      ],
    ],
    [{ decision: 7 }, [422, 'INVALID_REQUEST', expect.stringContaining('decision')]],
    [{ decision: 'approved', data: [] }, [422, 'INVALID_REQUEST', expect.stringContaining('data')]],
    [
      { decision: 'approved', actor: 'x'.repeat(256) },
      [422, 'INVALID_REQUEST', expect.stringContaining('actor')],
    ],
  ])('is refused when it is %j', async (body, expected) => {
    const server = await LiveServer.start([ask()])
    const { jobId } = await asked(server)
    expect(errorOf(await server.post(pathOf(jobId), body))).toEqual(expected)
    expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
  })

  it('is refused when its data are too large', async () => {
    const server = await LiveServer.start([ask()], { maxDataBytes: 100 })
    const { jobId } = await asked(server)
    const body = { decision: 'approved', data: { text: 'x'.repeat(100) } }
    const reply = await server.post(pathOf(jobId), body)
    expect([reply.status, reply.body['code']]).toEqual([413, 'DATA_TOO_LARGE'])
    const huge = { decision: 'approved', data: { text: 'x'.repeat(3 * 1024 * 1024) } }
    const refused = await server.post(pathOf(jobId), huge, 'nobody')
    expect([refused.status, refused.body['code']]).toEqual([413, 'BODY_TOO_LARGE'])
    expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
  })

  // A worker's job could be "approved", which moved it on without its result.
  it('is refused for a job that waits for something else, or for nothing', async () => {
    const busy = new Blueprint('busy')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({ type: 'work', transitions: { approved: 'done', success: 'done' } })
      })
      .state('done', { end: true })
    const server = await LiveServer.start([busy])
    const jobId = await server.create('busy')
    await server.jobIn('waiting_for_worker', jobId)
    const refusal = [409, 'NOT_APPROVABLE', 'Job is not in a state that can be approved']
    const decide = (): Promise<Answer> => server.post(pathOf(jobId), { decision: 'approved' })
    expect(errorOf(await decide())).toEqual(refusal)
    await server.post(`/api/jobs/${jobId}/cancel`)
    expect(errorOf(await decide())).toEqual(refusal)
  })

  it('is refused without a token, whether or not there is such a job (D-53)', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId } = await asked(server)
    for (const id of [jobId, 'none']) {
      const missing = await server.post(pathOf(id), { decision: 'approved' }, 'nobody')
      expect([missing.status, missing.body['code']]).toEqual([401, 'MISSING_TOKEN'])
      const headers = { 'x-client-token': 'wrong' }
      const wrong = await server.call('POST', pathOf(id), {
        as: 'nobody',
        headers,
        body: { decision: 'approved' },
      })
      expect([wrong.status, wrong.body['code']]).toEqual([401, 'INVALID_TOKEN'])
      const foreign = await server.post(pathOf(id), { decision: 'approved' }, 'other')
      expect(errorOf(foreign)).toEqual([404, 'JOB_NOT_FOUND', 'Job not found'])
    }
  })
})

describe('an approval link', () => {
  const decide = (server: LiveServer, link: string, body: object): Promise<Answer> =>
    server.post(link, body, 'nobody')

  it('decides without an account, once (D-33)', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId, links } = await asked(server)
    const link = links['rejected'] ?? ''
    const body = { decision: 'rejected', actor: 'Grace' }
    expect((await decide(server, link, body)).status).toBe(200)
    expect(await server.jobIn('failed', jobId)).toMatchObject({ result: { actor: 'Grace' } })
    const again = await decide(server, link, body)
    expect([again.status, again.body['code']]).toEqual([409, 'NOT_APPROVABLE'])
  })

  it('may also bring its token in the body', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId, links } = await asked(server)
    const token = new URL(links['rejected'] ?? '', server.url).searchParams.get('token')
    const reply = await decide(server, pathOf(jobId), { decision: 'rejected', token })
    expect(reply.status).toBe(200)
  })

  // A person who decides late, with the client's token, means what was on the screen.
  it('decides the request that it names, not the next one of the same job (D-33)', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId } = await asked(server)
    const first = ((await server.job(jobId))['approval'] as { id: string }).id
    const said = { decision: 'approved', approval_id: first }
    expect((await server.post(pathOf(jobId), said)).status).toBe(200)
    await until(async () => (await server.job(jobId))['current_state'] === 'second')
    await server.jobIn('waiting_for_human', jobId)
    const late = await server.post(pathOf(jobId), said)
    expect([late.status, late.body['code']]).toEqual([409, 'NOT_APPROVABLE'])
  })

  it('is worth nothing for the next request of the same job', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId, links } = await asked(server)
    await decide(server, links['approved'] ?? '', { decision: 'approved' })
    await until(async () => (await server.job(jobId))['current_state'] === 'second')
    await server.jobIn('waiting_for_human', jobId)
    for (const decision of ['approved', 'rejected']) {
      const reply = await decide(server, links[decision] ?? '', { decision })
      expect([reply.status, reply.body['code']]).toEqual([409, 'NOT_APPROVABLE'])
      const page = await server.get(links[decision] ?? '', 'nobody')
      expect([page.status, page.text.includes('decided already')]).toEqual([409, true])
    }
    expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
  })

  it('decides nothing else than what it was made for', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId, links } = await asked(server)
    const reply = await decide(server, links['approved'] ?? '', { decision: 'rejected' })
    expect([reply.status, reply.body['code']]).toEqual([403, 'FORBIDDEN'])
    expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
  })

  it.each(['forged', 'signed by another', "another job's", 'expired', 'garbled', 'empty'] as const)(
    'that is %s is refused with 401, and its page says so',
    async (kind) => {
      const server = await LiveServer.start([ask()])
      const { jobId, links } = await asked(server)
      const { approved } = (await asked(server)).links
      const wait: ApprovalWait = {
        for: 'approval',
        approvalId: approvalOf(await server.job(jobId)).id,
        integration: '',
        message: '',
        transitions: { approved: { state: 'done' } },
        deadlineAt: Date.now() + 60_000,
        onTimeout: null,
      }
      const sign = (secret: string, fields: Partial<ApprovalWait>): string =>
        new ApprovalLinks(secret).tokensOf(jobId, { ...wait, ...fields }, 0)['approved'] ?? ''
      const own = links['approved']?.split('token=')[1] ?? ''
      const rejected = links['rejected']?.split('token=')[1] ?? ''
      const token = {
        forged: `${rejected.split('.')[0] ?? ''}.${own.split('.')[1] ?? ''}`,
        'signed by another': sign('not-the-secret-of-the-server', {}),
        "another job's": approved?.split('token=')[1] ?? '',
        expired: sign(APPROVAL_SECRET, { deadlineAt: 1 }),
        garbled: `${own}x`,
        empty: '',
      }[kind]
      const path = `${pathOf(jobId)}?token=${encodeURIComponent(token)}`
      for (const decision of ['approved', 'rejected']) {
        const reply = await decide(server, path, { decision })
        expect([reply.status, reply.body['code']]).toEqual([401, 'INVALID_TOKEN'])
        // Not even next to a token that could decide.
        expect((await server.post(path, { decision })).status).toBe(401)
      }
      const page = await server.get(path, 'nobody')
      expect([page.status, page.headers.get('content-type')]).toEqual([
        401,
        'text/html; charset=utf-8',
      ])
      expect(page.text).toContain('not valid')
      expect(page.text).not.toContain('<script')
      expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
      // The same words signed by the server's secret are good: what failed above is what it seems.
      const good = await decide(server, pathOf(jobId), {
        decision: 'approved',
        token: sign(APPROVAL_SECRET, {}),
      })
      expect(good.status).toBe(200)
    },
  )

  it('is never written to the log', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId, links } = await asked(server)
    const token = links['rejected']?.split('token=')[1] ?? ''
    await server.get(links['rejected'] ?? '', 'nobody')
    await decide(server, `${pathOf(jobId)}?token=${token}x`, { decision: 'rejected' })
    await decide(server, links['rejected'] ?? '', { decision: 'rejected' })
    await server.jobIn('failed', jobId)
    expect(server.log()).not.toContain(token)
    expect(JSON.stringify(await server.history(jobId))).not.toContain(token)
  })
})

describe('the page of an approval link', () => {
  it('asks, however often it is opened, and decides nothing', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId, links } = await asked(server)
    for (const method of ['GET', 'GET', 'HEAD']) {
      const reply = await server.call(method, links['approved'] ?? '', { as: 'nobody' })
      expect(reply.status).toBe(200)
    }
    expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
  })

  it('tells what is decided, with everything escaped', async () => {
    const odd = new Blueprint('ask')
      .state('start', { start: true }, ({ actions }) => {
        const transitions = { '"><script>alert(2)</script>': 'done' }
        actions.awaitHumanApproval({ integration: 'mail', message: MESSAGE, transitions })
      })
      .state('done', { end: true })
    const server = await LiveServer.start([odd])
    const { links } = await asked(server)
    const { text } = await server.get(Object.values(links)[0] ?? '', 'nobody')
    expect(text).toContain(
      'Ship &lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; &#39;more&#39;?',
    )
    expect(text).toContain('&quot;&gt;&lt;script&gt;alert(2)&lt;/script&gt;')
    expect(text).not.toContain('<img')
    expect(text.match(/<script/g)).toHaveLength(1)
  })

  it('may run its own script only, is not framed, not kept, and tells nobody where it is', async () => {
    const server = await LiveServer.start([ask()])
    const { links } = await asked(server)
    const load = (): Promise<Answer> => server.get(links['approved'] ?? '', 'nobody')
    const [first, second] = [await load(), await load()]
    const { headers } = first
    const policy = headers.get('content-security-policy') ?? ''
    const nonce = /script-src 'nonce-([\w-]+)'/.exec(policy)?.[1] ?? ''
    expect(nonce).not.toBe('')
    expect(first.text).toContain(`<script nonce="${nonce}">`)
    expect(second.text).not.toContain(nonce)
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('sends the decision, the name and the comment when its button is pressed', async () => {
    const server = await LiveServer.start([ask()])
    const { jobId, links } = await asked(server)
    const href = server.url + (links['rejected'] ?? '')
    const { text } = await server.get(links['rejected'] ?? '', 'nobody')
    const page = new FakePage(text, href, { actor: ' Ada ', comment: 'too early' })
    await page.submit()
    expect(page.note).toContain('recorded')
    const job = await server.jobIn('failed', jobId)
    expect(job['result']).toMatchObject({ actor: 'Ada', comment: 'too early' })
    await page.submit()
    expect(page.note).toContain('not in a state that can be approved')
  })

  it('of a job that is not there any more says so', async () => {
    const server = await LiveServer.start([ask()])
    const wait: ApprovalWait = {
      for: 'approval',
      approvalId: 'a',
      integration: '',
      message: '',
      transitions: { approved: { state: 'done' } },
      deadlineAt: null,
      onTimeout: null,
    }
    const links = new ApprovalLinks(APPROVAL_SECRET).tokensOf('gone', wait, Date.now())
    const path = `${pathOf('gone')}?token=${links['approved'] ?? ''}`
    const page = await server.get(path, 'nobody')
    expect([page.status, page.text.includes('Job not found')]).toEqual([404, true])
    const reply = await server.post(path, { decision: 'approved' }, 'nobody')
    expect(errorOf(reply)).toEqual([404, 'JOB_NOT_FOUND', 'Job not found'])
  })
})

describe('approvals that are open, as older clients expect', () => {
  it('need the id of the job and nothing else', async () => {
    const server = await LiveServer.start([ask()], { approvalAuth: 'open' })
    const { jobId } = await asked(server)
    const reply = await server.post(pathOf(jobId), { decision: 'rejected' }, 'nobody')
    expect(reply.body).toEqual({ status: 'approval_received', job_id: jobId })
    expect(await server.jobIn('failed', jobId)).toMatchObject({ result: { actor: null } })
  })

  it('answer with the errors that those clients know', async () => {
    const server = await LiveServer.start([ask()], { approvalAuth: 'open' })
    const { jobId } = await asked(server)
    const decide = (id: string, body: string | object): Promise<Answer> =>
      server.post(pathOf(id), body, 'nobody')
    expect(errorOf(await decide('none', { decision: 'approved' }))).toEqual([
      404,
      'JOB_NOT_FOUND',
      'Job not found',
    ])
    const unknown = await decide(jobId, { decision: 'maybe' })
    expect(unknown.body['error']).toMatch(/^Invalid decision 'maybe' for this job/)
    expect((await decide(jobId, 'no json')).body['error']).toBe('Invalid JSON body')
    expect((await decide(jobId, {})).body['error']).toBe('decision is required in body')
    await decide(jobId, { decision: 'rejected' })
    await server.jobIn('failed', jobId)
    expect((await decide(jobId, { decision: 'rejected' })).body['error']).toBe(
      'Job is not in a state that can be approved',
    )
  })

  it('still know a client by its token, and honour links', async () => {
    const server = await LiveServer.start([ask()], { approvalAuth: 'open' })
    const { jobId, links } = await asked(server)
    expect((await server.post(links['approved'] ?? '', { decision: 'approved' })).status).toBe(200)
    await until(async () => (await server.job(jobId))['current_state'] === 'second')
    await server.jobIn('waiting_for_human', jobId)
    await server.post(pathOf(jobId), { decision: 'approved' }, 'other')
    expect(await server.jobIn('finished', jobId)).toMatchObject({ result: { actor: 'other' } })
  })
})

/** As much of a browser as the page needs. */
class FakePage {
  note = ''
  readonly #listeners: ((event: object) => Promise<void>)[] = []

  constructor(html: string, href: string, values: Record<string, string>) {
    const button = { disabled: false }
    const form = {
      dataset: { decision: /data-decision="([^"]*)"/.exec(html)?.[1] },
      elements: { namedItem: (name: string) => ({ value: values[name] ?? '' }) },
      hidden: false,
      addEventListener: (_type: string, listener: (event: object) => Promise<void>) =>
        this.#listeners.push(listener),
      querySelector: () => button,
    }
    const say = (text: string): void => {
      this.note = text
    }
    const note = {
      set textContent(text: string) {
        say(text)
      },
    }
    const document = { querySelector: (query: string) => (query === 'form' ? form : note) }
    const script = /<script nonce="[^"]+">([^]*)<\/script>/.exec(html)?.[1] ?? ''
    runInNewContext(script, { document, fetch, location: { href } })
  }

  async submit(): Promise<void> {
    await Promise.all(this.#listeners.map((each) => each({ preventDefault: () => undefined })))
  }
}
