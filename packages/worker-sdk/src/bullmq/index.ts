export { bullmqTask } from './bullmq-task.ts'
export type { BullmqTaskOptions } from './bullmq-task.ts'
