/** A fleet's plans in the words that workers and blueprints use. */
import type { DevicePlan, SkillPlan, TaskPlan, WantedDevicePlan, WorkerPlan } from './fleet-plan.ts'

/** The environment that an operator would start such a worker with. */
export function environmentOf(worker: WorkerPlan): Record<string, string> {
  const [first, ...others] = worker.devices
  const isCard = first?.type === 'gpu'
  const listed = isCard ? others : worker.devices
  return {
    LOG_LEVEL: 'error',
    CPU_CORES: `${worker.cpuCores}`,
    RAM_GB: `${worker.ramGb}`,
    ...(isCard && { GPU_MODEL: first.model, GPU_VRAM_GB: `${first.memoryGb}` }),
    WORKER_DEVICES: JSON.stringify(listed.map((device, i) => wireDevice(device, i + 1))),
    INSTALLED_SOFTWARE: JSON.stringify(worker.software),
    INSTALLED_MODELS: JSON.stringify(worker.models),
    INSTALLED_ARTIFACTS: JSON.stringify(worker.artifacts),
    COST_PER_SKILL: JSON.stringify(costsOf(worker.skills)),
    WORKER_EXTRA_REGION: worker.region,
    WORKER_EXTRA_NAME: worker.workerId,
    // Orchestrators and what is between come back soon.
    REGISTRATION_RETRY_MAX_DELAY: '1',
    POLL_BACKOFF_MAX: '1',
  }
}

function wireDevice({ type, model, memoryGb }: DevicePlan, i: number): object {
  return { type, model, id: `${i}`, properties: { memory_gb: memoryGb } }
}

function costsOf(skills: readonly SkillPlan[]): Record<string, number> {
  return Object.fromEntries(
    skills.flatMap(({ name, cost }) => (cost === null ? [] : [[name, cost] as const])),
  )
}

/** What the creator of a job says of its task. */
export function demandOf(task: TaskPlan): object {
  const { gpu, devices, cpuCores, ramGb, software, models, artifacts, region } = task
  const resources = {
    ...(gpu && { gpu_info: { model: gpu.model, vram_gb: gpu.vramGb } }),
    ...(devices && { devices: devices.map(wireWish) }),
    // Either place is right.
    ...(cpuCores !== undefined && { cpu_cores: cpuCores }),
    ...(ramGb !== undefined && { properties: { ram_gb: ramGb } }),
    ...(software && { installed_software: software }),
    ...(models && { installed_models: models }),
    ...(artifacts && { installed_artifacts: artifacts }),
    ...(region !== undefined && { extra_requirements: { region } }),
  }
  return {
    type: task.skill,
    params: { n: task.n, ms: task.ms, width: task.width },
    dispatchStrategy: task.strategy,
    priority: task.priority,
    ...(task.version !== undefined && { skillVersion: task.version }),
    ...(task.skillType !== undefined && { skillType: task.skillType }),
    ...(task.maxCost !== undefined && { maxCost: task.maxCost }),
    ...(Object.keys(resources).length > 0 && { resourceRequirements: resources }),
  }
}

function wireWish({ type, model, memoryGb }: WantedDevicePlan): object {
  return {
    type,
    ...(model !== undefined && { model }),
    ...(memoryGb !== undefined && { properties: { memory_gb: memoryGb } }),
  }
}

/** A task that only this worker is given, in which it breaks its contract. */
export function slipOf({ workerId }: WorkerPlan): object {
  const resourceRequirements = { extra_requirements: { name: workerId } }
  return { type: SLIP, params: {}, resourceRequirements }
}

/** The skill of those that slip. */
export const SLIP = 'slip'
