import { describe, expect, it } from 'vitest'
import { Lanes } from '../src/engine/jobs/lanes.ts'
import { settled } from '../src/testing/simulated-clock.ts'

interface Batch {
  readonly key: string
  readonly words: readonly string[]
  readonly end: (error?: Error) => Promise<void>
}

/** Lanes whose batches end when told; each word is answered in capitals, `bad` ones not at all. */
function scene(): { readonly lanes: Lanes<string, string>; readonly batches: Batch[] } {
  const batches: Batch[] = []
  const lanes = new Lanes<string, string>(
    (key, words) =>
      new Promise((resolve, reject) => {
        const end = async (error?: Error): Promise<void> => {
          if (error === undefined) resolve(words.map(answer))
          else reject(error)
          await settled()
        }
        batches.push({ key, words, end })
      }),
  )
  return { lanes, batches }
}

function answer(word: string): PromiseSettledResult<string> {
  if (word === 'bad') return { status: 'rejected', reason: new Error('no luck') }
  return { status: 'fulfilled', value: word.toUpperCase() }
}

describe('lanes', () => {
  it('deal with what is said in one turn together, and with what comes meanwhile after it', async () => {
    const { lanes, batches } = scene()
    const said = ['a', 'b'].map((word) => lanes.say('job-1', word))
    await settled()
    expect(batches.map(({ words }) => words)).toEqual([['a', 'b']])
    said.push(lanes.say('job-1', 'c'))
    await settled()
    said.push(lanes.say('job-1', 'd'))
    await settled()
    expect(batches).toHaveLength(1)
    await batches[0]?.end()
    expect(batches.map(({ words }) => words)).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    await batches[1]?.end()
    expect(await Promise.all(said)).toEqual(['A', 'B', 'C', 'D'])
  })

  it('do not wait for each other', async () => {
    const { lanes, batches } = scene()
    void lanes.say('job-1', 'a')
    const other = lanes.say('job-2', 'b')
    await settled()
    expect(batches.map(({ key }) => key)).toEqual(['job-1', 'job-2'])
    await batches[1]?.end()
    expect(await other).toBe('B')
  })

  it('tell the failure of one word to him alone who said it', async () => {
    const { lanes, batches } = scene()
    const first = lanes.say('job-1', 'a')
    const bad = expect(lanes.say('job-1', 'bad')).rejects.toThrow('no luck')
    const good = lanes.say('job-1', 'b')
    await settled()
    await batches[0]?.end()
    await bad
    expect(await Promise.all([first, good])).toEqual(['A', 'B'])
  })

  it('go on after a batch that failed as a whole', async () => {
    const { lanes, batches } = scene()
    const first = expect(lanes.say('job-1', 'a')).rejects.toThrow('away')
    await settled()
    const second = lanes.say('job-1', 'b')
    await batches[0]?.end(new Error('away'))
    await first
    await batches[1]?.end()
    expect(await second).toBe('B')
  })

  it('deal with no more than 256 words at a time', async () => {
    const { lanes, batches } = scene()
    const said = Array.from({ length: 400 }, (_, n) => lanes.say('job-1', `w${String(n)}`))
    await settled()
    await batches[0]?.end()
    await batches[1]?.end()
    expect(batches.map(({ words }) => words.length)).toEqual([256, 144])
    expect((await Promise.all(said)).at(-1)).toBe('W399')
  })

  it('keep nothing of words that were dealt with, well or not', async () => {
    const { lanes, batches } = scene()
    const all = Promise.allSettled(['a', 'bad'].map((word) => lanes.say('job-1', word)))
    expect(lanes.size).toBe(1)
    await settled()
    await batches[0]?.end()
    await all
    expect(lanes.size).toBe(0)
    void lanes.say('job-1', 'again')
    await settled()
    expect(batches).toHaveLength(2)
  })
})
