import { Blueprint } from '@avtomatika/core'

/** One task for a worker, with everything that may be said about it. Times in seconds. */
export const film = new Blueprint('film')
  .state('start', { start: true }, ({ initialData: { scene }, actions }) => {
    actions.dispatchTask({
      type: 'render',
      params: { scene },
      priority: 5, // before tasks of 0, the default
      dispatchTimeout: 600, // a worker must take it within ten minutes,
      timeout: 120, // and answer within two, at each try;
      resultTimeout: 1800, // all tries together have half an hour
      retry: { attempts: 3, initialDelay: 2, factor: 5, maxDelay: 60 },
      resourceRequirements: { gpu_info: { vram_gb: 24 } },
      maxCost: 0.5,
      transitions: { success: 'done' },
    })
  })
  .state('done', { end: true })
