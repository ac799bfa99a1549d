import type { Child } from './child.ts'

/** What a process has had of the processors since it began, in microseconds. */
export async function processorTime(child: Child): Promise<number> {
  const { user, system } = JSON.parse(await child.ask('cpu')) as NodeJS.CpuUsage
  return user + system
}
