import type { SettingsReader } from './environment.ts'

/** A variable of the Python system that is set and does nothing here. */
export interface UnusedVariable {
  readonly name: string
  readonly reason: string
}

const FILES = 'task files and object storage are not part of this SDK yet'
const USAGE = 'heartbeats of this SDK tell load, not usage'

/** Why each variable of the Python system that this SDK does not read has nothing to do here. */
const REASONS: Readonly<Record<string, string>> = {
  RESULT_MAX_RETRIES: 'a result is sent until it is answered',
  TASK_POLL_ERROR_DELAY:
    'POLL_BACKOFF_INITIAL, POLL_BACKOFF_MAX and POLL_BACKOFF_FACTOR say how long',
  IDLE_POLL_DELAY: 'the next poll leaves as soon as there is room for a task',
  WORKER_COST_PER_SECOND: 'COST_PER_SKILL says what tasks cost',
  WORKER_SKILLS_DIR: 'the program imports its handlers itself',
  STRICT_EVENT_VALIDATION: 'events that a task declares are always checked',
  TASK_FILES_DIR: FILES,
  WORKER_PAYLOAD_DIR: FILES,
  WORKER_BLOB_CACHE_DIR: FILES,
  S3_ENDPOINT_URL: FILES,
  S3_ACCESS_KEY: FILES,
  S3_SECRET_KEY: FILES,
  S3_DEFAULT_BUCKET: FILES,
  S3_REGION: FILES,
  WORKER_TELEMETRY_DEADBAND: USAGE,
  WORKER_TELEMETRY_FORCE_INTERVAL: USAGE,
  OTEL_EXPORTER_OTLP_ENDPOINT: 'the program sets up OpenTelemetry itself',
  ORCHESTRATOR_SECRET_KEY: 'signatures of tasks are NOT verified by this SDK',
}

/** The variables that are set and do nothing here, for the log: whoever set one counts on it. */
export function unusedVariables(reader: SettingsReader): readonly UnusedVariable[] {
  return Object.entries(REASONS)
    .filter(([name]) => reader.text(name) !== undefined)
    .map(([name, reason]) => ({ name, reason }))
}
