import { describe, expect, it } from 'vitest'
import { Lanes } from '../src/engine/lanes.ts'
import { settled } from '../src/testing/simulated-clock.ts'

/** Work that ends when told. */
class Work {
  hasBegun = false
  #end: ((error?: Error) => void) | undefined

  readonly run = (): Promise<string> => {
    this.hasBegun = true
    return new Promise((resolve, reject) => {
      this.#end = (error) => {
        if (error === undefined) resolve('done')
        else reject(error)
      }
    })
  }

  async end(error?: Error): Promise<void> {
    this.#end?.(error)
    await settled()
  }
}

describe('lanes', () => {
  it('do the work of one lane in order, one piece at a time', async () => {
    const lanes = new Lanes()
    const works = [new Work(), new Work(), new Work()]
    const runs = works.map(({ run }) => lanes.run('job-1', run))
    await settled()
    const begun = (): boolean[] => works.map(({ hasBegun }) => hasBegun)
    expect(begun()).toEqual([true, false, false])
    await works[0]?.end()
    expect(begun()).toEqual([true, true, false])
    await works[1]?.end()
    expect(begun()).toEqual([true, true, true])
    await works[2]?.end()
    expect(await Promise.all(runs)).toEqual(['done', 'done', 'done'])
  })

  it('begin at once when nothing is before, without a turn of the event loop', () => {
    const lanes = new Lanes()
    const work = new Work()
    void lanes.run('job-1', work.run)
    expect(work.hasBegun).toBe(true)
  })

  it('do not wait for each other', async () => {
    const lanes = new Lanes()
    const [one, two] = [new Work(), new Work()]
    void lanes.run('job-1', one.run)
    const other = lanes.run('job-2', two.run)
    expect(two.hasBegun).toBe(true)
    await two.end()
    expect(await other).toBe('done')
    await one.end()
  })

  it('go on after an error, which only its own caller hears', async () => {
    const lanes = new Lanes()
    const [one, two] = [new Work(), new Work()]
    const first = lanes.run('job-1', one.run)
    const heard = expect(first).rejects.toThrow('no luck')
    const second = lanes.run('job-1', two.run)
    await one.end(new Error('no luck'))
    await heard
    expect(two.hasBegun).toBe(true)
    await two.end()
    expect(await second).toBe('done')
  })

  it('go on after work that throws before it has begun to wait', async () => {
    const lanes = new Lanes()
    const bad = (): Promise<never> => {
      throw new Error('no luck')
    }
    await expect(lanes.run('job-1', bad)).rejects.toThrow('no luck')
    const work = new Work()
    const first = lanes.run('job-1', work.run)
    const second = expect(lanes.run('job-1', bad)).rejects.toThrow('no luck')
    const last = lanes.run('job-1', () => Promise.resolve('last'))
    await work.end()
    await second
    expect(await Promise.all([first, last])).toEqual(['done', 'last'])
  })

  it('keep nothing of work that has ended, well or not', async () => {
    const lanes = new Lanes()
    const [one, two] = [new Work(), new Work()]
    const runs = Promise.allSettled([
      lanes.run('job-1', one.run),
      lanes.run('job-1', two.run),
      lanes.run('job-2', () => Promise.reject(new Error('no luck'))),
    ])
    expect(lanes.size).toBe(2)
    await one.end()
    await two.end()
    await runs
    expect(lanes.size).toBe(0)
  })

  it('take new work after they were empty, in order with what comes while it runs', async () => {
    const lanes = new Lanes()
    const order: number[] = []
    const push = (n: number) => (): Promise<void> => {
      order.push(n)
      return Promise.resolve()
    }
    await lanes.run('job-1', push(1))
    await Promise.all([2, 3, 4].map((n) => lanes.run('job-1', push(n))))
    expect(order).toEqual([1, 2, 3, 4])
  })
})
