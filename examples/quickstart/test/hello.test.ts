import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Program } from '../demo/program.ts'

const HELLO = new URL('../hello.ts', import.meta.url)
const README = new URL('../../../README.md', import.meta.url)

describe('the example on the front page', () => {
  it('is the file that can be run', async () => {
    const [readme, file] = await Promise.all([readFile(README, 'utf8'), readFile(HELLO, 'utf8')])
    expect(readme).toContain(`\`\`\`ts\n${file}\`\`\``)
  })

  it('greets, and ends by itself', async () => {
    const execArgv = ['--conditions=@avtomatika/source']
    const hello = new Program({ name: 'hello', file: fileURLToPath(HELLO), env: {}, execArgv })
    const [code] = (await once(hello.events, 'exit')) as [number | null]
    expect(hello.output).toContain("{ greeting: 'Hello, World!' }")
    expect(code).toBe(0)
  })
})
