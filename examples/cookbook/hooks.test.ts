import { InvalidInputError } from '@avtomatika/worker-sdk'
import { expect, it, vi } from 'vitest'
import { hooksFor, upload } from './hooks.ts'
import { startStack } from './support/stack.ts'

it('tells the host of events, and of every end', async () => {
  const lines: string[] = []
  const { client } = await startStack({
    blueprints: [upload],
    hooks: hooksFor((line) => lines.push(line)),
    tasks: {
      store: ({ params: { file } }) => {
        if (file === '') throw new InvalidInputError('no name')
        return { stored: true }
      },
    },
  })
  const good = await client.run('/jobs/uploads', { file: 'a.txt' })
  const bad = await client.run('/jobs/uploads', { file: '' })
  await vi.waitFor(() => {
    expect(lines).toEqual([
      `${good.id} upload_begun {"file":"a.txt"}`,
      `${good.id} finished in 'done'`,
      `${bad.id} upload_begun {"file":""}`,
      expect.stringMatching(`^${bad.id} failed in 'start': .*no name`),
    ])
  })
})
