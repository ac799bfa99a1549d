/**
 * Which worker of a plan can do which task: everything is tried, and none of it is the product's own
 * matching.
 */
import type { DevicePlan, TaskPlan, ThingPlan, WantedDevicePlan, WorkerPlan } from './fleet-plan.ts'

/** Why a worker cannot do a task, by what both are said to be; `undefined`: it can. */
export function whyNot(worker: WorkerPlan, task: TaskPlan): string | undefined {
  return whyNotSkill(worker, task) ?? whyNotMachine(worker, task)
}

function whyNotSkill({ skills }: WorkerPlan, task: TaskPlan): string | undefined {
  const skill = skills.find(({ name }) => name === task.skill)
  if (skill === undefined) return `has no skill ${task.skill}`
  if (task.version !== undefined && skill.version !== task.version) {
    return `has version ${skill.version}, not ${task.version}`
  }
  if (task.skillType !== undefined && skill.type !== task.skillType) {
    return `has type ${skill.type}, not ${task.skillType}`
  }
  if (skill.widest !== null && task.width > skill.widest) {
    return `takes a width of ${skill.widest}, not ${task.width}`
  }
  if (task.maxCost !== undefined && (skill.cost ?? Infinity) > task.maxCost) {
    return `costs ${String(skill.cost)}, more than ${task.maxCost}`
  }
  return undefined
}

function whyNotMachine(worker: WorkerPlan, task: TaskPlan): string | undefined {
  if (worker.cpuCores < (task.cpuCores ?? 0)) return `has ${worker.cpuCores} cores`
  if (worker.ramGb < (task.ramGb ?? 0)) return `has ${worker.ramGb} GB of RAM`
  if (task.region !== undefined && worker.region !== task.region) return `is in ${worker.region}`
  for (const [name, version] of Object.entries(task.software ?? {})) {
    const has = worker.software[name]
    if (has === undefined || (version !== 'any' && has !== version)) {
      return `has ${name} ${String(has)}, not ${version}`
    }
  }
  for (const model of task.models ?? []) {
    if (!hasThing(worker.models, model)) return `has no model ${model.name} ${model.version}`
  }
  for (const each of task.artifacts ?? []) {
    if (!hasThing(worker.artifacts, each)) return `has no artifact ${each.name} ${each.version}`
  }
  if (task.gpu !== undefined) {
    const { model, vramGb } = task.gpu
    const wanted = { type: 'gpu', ...(model && { model }), ...(vramGb && { memoryGb: vramGb }) }
    if (!canServe(worker.devices, [wanted])) return `has no such GPU ${JSON.stringify(task.gpu)}`
  }
  if (!canServe(worker.devices, task.devices ?? [])) {
    return `has no such devices ${JSON.stringify(task.devices)}`
  }
  return undefined
}

function hasThing(things: readonly ThingPlan[], { name, version }: ThingPlan): boolean {
  return things.some((thing) => thing.name === name && thing.version === version)
}

/** Whether each wish can have a device to itself, by trying all ways to give them out. */
function canServe(
  devices: readonly DevicePlan[],
  [wish, ...others]: readonly WantedDevicePlan[],
): boolean {
  if (wish === undefined) return true
  return devices.some(
    (device, i) => isSuch(device, wish) && canServe(devices.toSpliced(i, 1), others),
  )
}

function isSuch(device: DevicePlan, { type, model = '', memoryGb = 0 }: WantedDevicePlan): boolean {
  return (
    device.type === type &&
    device.model.toLowerCase().includes(model.toLowerCase()) &&
    device.memoryGb >= memoryGb
  )
}
