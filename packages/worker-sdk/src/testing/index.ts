export { testWorker } from './test-worker.ts'
export type { RunningTest, TestBench, TestResult, TestTask } from './test-worker.ts'
export type { ToldEvent, ToldProgress } from './test-orchestrator.ts'
