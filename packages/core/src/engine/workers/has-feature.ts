import type { WorkerFeature } from '@avtomatika/protocol'
import type { WorkerRecord } from '../../ports/worker-record.ts'

/** Whether a worker has named a feature when it registered. */
export function hasFeature({ registration }: WorkerRecord, feature: WorkerFeature): boolean {
  const said = registration['features']
  return Array.isArray(said) && said.includes(feature)
}
