import { z } from 'zod'

/** A short-lived token of a worker. */
export const tokenResponseSchema = z.looseObject({
  access_token: z.string().min(1),
  /** Seconds. */
  expires_in: z.number().positive(),
  worker_id: z.string().nullish(),
  /** Good for one refresh; the answer holds the next one. */
  refresh_token: z.string().nullish(),
})

/** A short-lived token of a worker. */
export type TokenResponse = z.infer<typeof tokenResponseSchema>

/** Asks for the next token. */
export const tokenRefreshSchema = z.looseObject({ refresh_token: z.string().min(1) })

/** Asks for the next token. */
export type TokenRefresh = z.infer<typeof tokenRefreshSchema>
