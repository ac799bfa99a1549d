import { libraryBuild } from '../../tsup.base.ts'

export default libraryBuild({
  index: 'src/index.ts',
  testing: 'src/testing/index.ts',
  bullmq: 'src/bullmq/index.ts',
  // Loaded by their place beside the others: handlers and heartbeats that run in a thread.
  'thread-entry': 'src/thread-entry.ts',
  'heartbeat-thread': 'src/heartbeat-thread.ts',
})
