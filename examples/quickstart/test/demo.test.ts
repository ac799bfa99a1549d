import { fileURLToPath } from 'node:url'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { Program } from '../demo/program.ts'
import { said } from './stack.ts'

const DEMO = fileURLToPath(new URL('../demo.ts', import.meta.url))

let demo: Program | undefined

function startDemo(): Program {
  demo = new Program({
    name: 'demo',
    file: DEMO,
    env: {},
    execArgv: ['--conditions=@avtomatika/source'],
  })
  return demo
}

describe('the demo', () => {
  afterEach(() => demo?.stop())

  it('tells the whole story in plain text and ends well within a quarter of a minute', async () => {
    const startedAt = Date.now()
    const running = startDemo()
    const [code] = (await once(running.events, 'exit')) as [number | null]
    const { output } = running
    expect(output).toContain('Hello World Hello World Hello World')
    expect(output).toContain('Message 5 Message 5 Message 5 Message 5 Message 5')
    expect(output).toContain('quarantined: Task failed after 4 attempts')
    expect(output).toContain('401  {"error":"Unauthorized: Invalid token"')
    expect(output).toContain('What to try next')
    expect(output).not.toContain('\x1b')
    expect(code).toBe(0)
    expect(Date.now() - startedAt).toBeLessThan(20_000)
  })

  it('takes its programs with it when it is interrupted', async () => {
    const running = startDemo()
    const url = await said(running, /on (http:\S+)/)
    const exit = once(running.events, 'exit')
    await running.stop()
    expect(await exit).toEqual([130])
    await expect(fetch(`${url}/_public/status`)).rejects.toThrow()
  })
})
