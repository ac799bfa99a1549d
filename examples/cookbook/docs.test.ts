import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

const HERE = new URL('./', import.meta.url)
const DOCS = new URL('../../docs/cookbook/', import.meta.url)

async function namesIn(folder: URL, pattern: RegExp): Promise<readonly string[]> {
  const files = await readdir(folder)
  return files.flatMap((file) => pattern.exec(file)?.[1] ?? []).sort()
}

const examples = await namesIn(HERE, /^([\w-]+)\.ts$/)
const index = await readFile(new URL('index.md', DOCS), 'utf8')

describe('the cookbook', () => {
  it('has a page for each example, and no other', async () => {
    const pages = await namesIn(DOCS, /^([\w-]+)\.md$/)
    expect(pages.filter((name) => name !== 'index')).toEqual(examples)
  })

  it.each(examples)('shows %s as it is, with its test, and lists it', async (name) => {
    const page = await readFile(new URL(`${name}.md`, DOCS), 'utf8')
    const file = await readFile(new URL(`${name}.ts`, HERE), 'utf8')
    expect(page, `put examples/cookbook/${name}.ts into the page`).toContain(
      `\`\`\`ts\n${file}\`\`\``,
    )
    expect(page).toContain(`examples/cookbook/${name}.test.ts`)
    expect(index).toContain(`(${name}.md)`)
  })

  it.each(examples)('has a test of %s beside it', async (name) => {
    const test = await readFile(new URL(`${name}.test.ts`, HERE), 'utf8')
    expect(test).toContain(`from './${name}.ts'`)
  })

  it('shows on the page about testing how that is done', async () => {
    const page = await readFile(new URL('testing.md', DOCS), 'utf8')
    const test = await readFile(new URL('testing.test.ts', HERE), 'utf8')
    expect(page).toContain(`\`\`\`ts\n${test}\`\`\``)
  })
})
