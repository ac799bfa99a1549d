import { expect, it, vi } from 'vitest'
import { parcel, pictures } from './graphs.ts'
import { startStack } from './support/stack.ts'

it('draws the blueprint, with ways that depend on a condition drawn differently', async () => {
  const { client } = await startStack({ blueprints: [parcel] })
  const { jobId } = await client.createJob('/jobs/parcels', { size: 'big' })
  const { mermaid, dot } = await pictures(client, jobId)
  expect(mermaid).toContain('flowchart')
  expect(mermaid).toMatch(/-\.->\|"\[initial_data.size == 'small'\]"\|/)
  expect(dot).toContain('digraph "parcel"')
  expect(dot).toMatch(/"start" -> "done" \[.*style=dashed/)
  expect(dot).toMatch(/"ask" -> "route" \[label="no"\]/)
  expect(dot).toContain('"route" -> "done"')
})

it('marks where a job is', async () => {
  const { client } = await startStack({ blueprints: [parcel] })
  const { jobId } = await client.createJob('/jobs/parcels', { size: 'big' })
  await vi.waitFor(async () => {
    const { svg } = await pictures(client, jobId)
    expect(svg).toMatch(/^<svg/)
    expect(svg).toContain('The job is in &#39;ask&#39;')
  })
})
