export { aJob, aRecord, aTask, aWorker, T0 } from './builders.ts'
export type { ContractCase } from './contract-case.ts'
export { historyContract } from './history-contract.ts'
export { storageContract } from './storage-contract/index.ts'
