/** Classes of tasks: equal demands are one class (W4). */
import assert from 'node:assert/strict'
import type { TaskDemand } from '../../job/task.ts'
import type { Storage } from '../../ports/storage.ts'
import { classIdOf } from '../../ports/task-store.ts'
import { aTask } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { offered, storageCase, tasksFor } from './acts.ts'

/** Offers a task per demand, numbered from 0. */
async function demanded(storage: Storage, ...demands: readonly TaskDemand[]): Promise<void> {
  const tasks = demands.map((demand, n) =>
    aTask({ taskId: `task-${String(n)}`, jobId: `job-${String(n)}`, demand }),
  )
  await offered(storage, ...tasks)
}

/** All that a demand can say, each time with something else in one place. */
const DIFFERENT: readonly TaskDemand[] = [
  { type: 'render' },
  { type: 'Render' },
  { type: 'render', skillVersion: '1' },
  { type: 'render', skillVersion: '1', skillType: 'gpu' },
  { type: 'render', skillType: 'gpu' },
  { type: 'render', skillType: '1' },
  { type: 'render', maxCost: 1 },
  { type: 'render', maxCost: 1.5 },
  { type: 'render', maxCost: 0 },
  { type: 'render', resources: {} },
  { type: 'render', resources: { cpu: 1 } },
  { type: 'render', resources: { cpu: '1' } },
  { type: 'render', resources: { cpu: 1, gpu: null } },
  { type: 'render', resources: { models: ['a', 'b'] } },
  { type: 'render', resources: { models: ['b', 'a'] } },
  { type: 'render', resources: { gpu: { vram_gb: 8 } } },
  { type: 'crop', resources: { gpu: { vram_gb: 8 } } },
  // Names may hold what stands between the parts of an id.
  { type: 'render@1' },
  { type: 'render@1', skillVersion: '2' },
  { type: 'render', skillVersion: '1@2' },
  { type: 'render#1' },
]

export const taskClassCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'W4 equal demands are one class, whatever the order of their keys',
    async (storage) => {
      const one: TaskDemand = {
        type: 'render',
        skillVersion: '2',
        skillType: 'gpu',
        maxCost: 0.5,
        resources: { gpu: { model: 'a', vram_gb: 8 }, list: [{ x: 1, y: 2 }], cpu: 2 },
      }
      const same: TaskDemand = {
        resources: { cpu: 2, list: [{ y: 2, x: 1 }], gpu: { vram_gb: 8, model: 'a' } },
        maxCost: 0.5,
        skillType: 'gpu',
        skillVersion: '2',
        type: 'render',
      }
      assert.equal(classIdOf(one), classIdOf(same))
      await demanded(storage, one, same)
      assert.deepEqual(await storage.listTaskClasses(), [{ classId: classIdOf(one), demand: one }])
      assert.deepEqual(await tasksFor(storage, 'w', { classIds: [classIdOf(one)] }), [
        'task-0',
        'task-1',
      ])
    },
  ),
  storageCase('W4 different demands are different classes', async (storage) => {
    await demanded(storage, ...DIFFERENT)
    const classes = await storage.listTaskClasses()
    const byId = new Map(classes.map(({ classId, demand }) => [classId, demand]))
    assert.equal(classes.length, DIFFERENT.length)
    assert.deepEqual(
      DIFFERENT.map((demand) => byId.get(classIdOf(demand))),
      DIFFERENT,
    )
  }),
  storageCase('W4 each class has its own tasks and no others', async (storage) => {
    await demanded(storage, ...DIFFERENT)
    for (const [n, demand] of DIFFERENT.entries()) {
      const classIds = [classIdOf(demand)]
      assert.deepEqual(await tasksFor(storage, 'w', { classIds }), [`task-${String(n)}`])
    }
  }),
  storageCase('W4 the class of a plain demand can be read', async (storage) => {
    assert.equal(classIdOf({ type: 'render' }), 'render')
    assert.equal(classIdOf({ type: 'render', skillVersion: '1' }), 'render@1')
    await demanded(storage, { type: 'render' }, { type: 'render', skillVersion: '1' })
    assert.deepEqual(await tasksFor(storage, 'w', { classIds: ['render@1'] }), ['task-1'])
  }),
]
