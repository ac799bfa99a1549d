import { pino } from 'pino'

/** The part of a pino logger that the worker uses; any logger with these methods will do. */
export interface WorkerLogger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** A logger that adds these fields to each line. */
  child(fields: Record<string, unknown>): WorkerLogger
}

/** Levels of the default logger. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** A level of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** How lines look: for people, or one JSON object each. */
export type LogFormat = 'text' | 'json'

/** The logger of a worker that was given none; writes to standard output. */
export function createLogger(level: LogLevel, format: LogFormat): WorkerLogger {
  if (format === 'json') return pino({ level, base: null })
  return pino({ level, base: null }, { write: (line) => process.stdout.write(formatLine(line)) })
}

/** `[time] LEVEL message {fields}`, from a line of JSON. */
export function formatLine(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const label = pino.levels.labels[Number(level)] ?? 'info'
  const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`
  return `[${new Date(Number(time)).toISOString()}] ${label.toUpperCase()} ${String(msg)}${rest}\n`
}
