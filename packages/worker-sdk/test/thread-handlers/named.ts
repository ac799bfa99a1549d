export const handler = (): object => ({ named: true })
