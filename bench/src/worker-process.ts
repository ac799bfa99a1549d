/** A worker that answers with what it was given. */
import { Worker } from '@avtomatika/worker-sdk'
import { pino } from 'pino'

const [orchestratorUrl = '', slots = '1'] = process.argv.slice(2)
const worker = new Worker({
  workerId: 'bench-worker',
  orchestratorUrl,
  token: 'bench',
  maxConcurrentTasks: Number(slots),
  logger: pino({ level: 'warn' }),
  env: {},
})
worker.task('echo', ({ params }) => params)
await worker.start()
process.send?.('ready')
process.on('message', () => process.send?.(JSON.stringify(process.cpuUsage())))
process.on('disconnect', () => void worker.stop())
