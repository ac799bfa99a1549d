// A program: a worker whose handler computes without a pause until a file appears.
import { existsSync } from 'node:fs'

import { Worker } from '../src/index.ts'

const [file = ''] = process.argv.slice(2)
const worker = new Worker({ healthPort: false })
worker.task('compute', () => {
  let rounds = 0
  while (!existsSync(file)) rounds += 1
  return { rounds }
})
process.exitCode = await worker.run()
