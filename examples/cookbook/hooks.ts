import { Blueprint, type Hooks } from '@avtomatika/core'

export const upload = new Blueprint('upload', { endpoint: '/jobs/uploads', version: 'v1' })
  .state('start', { start: true }, ({ initialData: { file }, actions }) => {
    actions.sendEvent({ name: 'upload_begun', data: { file } })
    actions.dispatchTask({ type: 'store', params: { file }, transitions: { success: 'done' } })
  })
  .state('done', { end: true })

/** What the host program does beside: `new OrchestratorEngine({ hooks: hooksFor(write) })`. */
export function hooksFor(write: (line: string) => void): Hooks {
  return {
    onJobFinished: ({ id, status, state, error }) => {
      write(`${id} ${status} in '${state}'${error === null ? '' : `: ${error.message}`}`)
    },
    onWorkerEvent: ({ jobId, type, payload }) => {
      write(`${jobId} ${type} ${JSON.stringify(payload)}`)
    },
  }
}
