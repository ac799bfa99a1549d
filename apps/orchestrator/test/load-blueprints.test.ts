import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadBlueprints } from '../src/load-blueprints.ts'

/** What a copy of the core package in the author's folder would make. */
const SHAPE = (name: string): string =>
  `{ name: '${name}', check: () => [], define: () => ({ name: '${name}' }) }`

describe('loadBlueprints', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blueprints-'))
  })

  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  async function write(name: string, text: string): Promise<void> {
    await writeFile(join(folder, name), text)
  }

  async function names(): Promise<string[]> {
    const loaded = await loadBlueprints(folder)
    return loaded.map(({ blueprint, file }) => `${file}: ${blueprint.name}`)
  }

  it('takes every exported blueprint of .js, .mjs and .ts modules, in the order of file names', async () => {
    await write(
      'c.js',
      `export const other = 1, nothing = null; export default ${SHAPE('from_js')}`,
    )
    await write('b.mjs', `export const one = ${SHAPE('one')}; export const two = ${SHAPE('two')}`)
    await write('a.ts', `export const typed: object = ${SHAPE('from_ts')}`)
    expect(await names()).toEqual(['a.ts: from_ts', 'b.mjs: one', 'b.mjs: two', 'c.js: from_js'])
  })

  it('takes a blueprint that two modules export once', async () => {
    await write('flow.mjs', `export const flow = ${SHAPE('flow')}; export { flow as alias }`)
    await write('index.mjs', `export { flow } from './flow.mjs'`)
    expect(await names()).toEqual(['flow.mjs: flow'])
  })

  it('leaves declarations, other files and folders alone', async () => {
    await write('flow.mjs', `export const flow = ${SHAPE('flow')}`)
    await write('flow.d.ts', 'this is not a program')
    await write('README.md', '# Flows')
    await mkdir(join(folder, 'parts.js'))
    await mkdir(join(folder, 'shared'))
    await write('shared/broken.mjs', 'throw new Error("not to be loaded")')
    expect(await names()).toEqual(['flow.mjs: flow'])
  })

  it.each([
    ['bad-import.mjs', `import 'no-such-package'`, 'no-such-package'],
    ['throws.mjs', `throw new Error('no database')`, 'no database'],
  ])('names the module that cannot be loaded, and why: %s', async (file, text, cause) => {
    await write('fine.mjs', `export const flow = ${SHAPE('flow')}`)
    await write(file, text)
    const failure = loadBlueprints(folder)
    await expect(failure).rejects.toMatchObject({ code: 'BLUEPRINT_INVALID' })
    await expect(failure).rejects.toThrow(join(folder, file))
    await expect(failure).rejects.toThrow(cause)
  })

  it('says that a folder without modules is empty', async () => {
    await expect(loadBlueprints(folder)).rejects.toThrow('it has no .js, .mjs or .ts file')
  })

  it('says which modules it looked into when none exports a blueprint', async () => {
    await write('helper.mjs', 'export const help = () => 1')
    await expect(loadBlueprints(folder)).rejects.toThrow('none in helper.mjs')
  })

  it('says that a folder does not exist, or is a file', async () => {
    await write('a-file', '')
    await expect(loadBlueprints(join(folder, 'gone'))).rejects.toThrow('it does not exist')
    await expect(loadBlueprints(join(folder, 'a-file'))).rejects.toThrow('it is a file')
  })
})
