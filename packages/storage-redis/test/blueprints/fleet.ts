/** One task each, with the demands that the creator of the job names. */
import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

const demand = z.object({
  type: z.string(),
  params: z.record(z.string(), z.unknown()),
  dispatchStrategy: z.string().default('default'),
  priority: z.number().default(0),
  skillVersion: z.string().optional(),
  skillType: z.string().optional(),
  maxCost: z.number().optional(),
  resourceRequirements: z.record(z.string(), z.unknown()).default({}),
})

export const demanding = new Blueprint('demanding', {
  endpoint: '/jobs/demanding',
  version: 'v1',
  input: demand,
})
  .state('start', { start: true }, ({ initialData, actions }) => {
    const { skillVersion, skillType, maxCost, ...always } = initialData
    actions.dispatchTask({
      ...always,
      ...(skillVersion !== undefined && { skillVersion }),
      ...(skillType !== undefined && { skillType }),
      ...(maxCost !== undefined && { maxCost }),
      transitions: { success: 'done' },
    })
  })
  .state('done', { end: true })
