import { BlueprintTest } from '@avtomatika/core/testing'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { translation } from './schemas.ts'

let test: BlueprintTest

beforeEach(() => {
  test = new BlueprintTest(translation, { workers: { translate: { data: { text: 'Hallo' } } } })
  onTestFinished(() => test.close())
})

it('refuses a job whose data do not fit, and names what is wrong', async () => {
  const initialData = { text: 'Hello', to: 'klingon' }
  await expect(test.start({ initialData })).rejects.toThrow('initial_data.to')
})

it('refuses an event whose data do not fit; the job goes on waiting', async () => {
  const job = await test.start({ initialData: { text: 'Hello', to: 'de' } })
  await expect(job.sendEvent('reviewed', { reviewer: 3 })).rejects.toThrow('data.reviewer')
  await job.sendEvent('reviewed', { reviewer: 'ann', text: 'Hallo!' })
  job.assertEnded({ status: 'finished', result: { reviewer: 'ann', text: 'Hallo!' } })
})
