/** Variables of the environment, one by one, with all that is wrong told at once. */
import { ConfigError } from '@avtomatika/protocol'
import { tokenProblem } from './token-problem.ts'

/** What the operator set. */
export type Variables = Readonly<Record<string, string | undefined>>

const MIN_SECRET_LENGTH = 16

/** What a whole number may be. */
export interface Range {
  readonly fallback: number
  readonly least: number
  readonly most: number
}

/** Reads one variable after the other and keeps what is wrong for the end. */
export class VariableReader {
  readonly #variables: Variables
  readonly #problems: string[] = []

  constructor(variables: Variables) {
    this.#variables = variables
  }

  text(name: string, fallback: string): string {
    return this.find(name) ?? fallback
  }

  /** Like {@link VariableReader.text}, but set to nothing means nothing: the root. */
  path(name: string, fallback: string): string {
    const value = this.#variables[name]?.trim() ?? fallback
    if (/^\/*([\w.~-]+(\/+[\w.~-]+)*\/*)?$/.test(value)) return value
    return this.wrong(`${name} must be a path such as 'api', got '${value}'.`, fallback)
  }

  required(name: string, meaning: string): string {
    return this.find(name) ?? this.wrong(`${name} is not set. Set it to ${meaning}.`, '')
  }

  token(name: string, use: string): string {
    if (this.find(name) !== undefined) return this.optionalToken(name, use) ?? ''
    return this.wrong(`${name} is not set. ${tokenAdvice(use)}`, '')
  }

  /** Like {@link VariableReader.token}, for what may be left out. */
  optionalToken(name: string, use: string): string | undefined {
    const value = this.find(name)
    const problem = value === undefined ? undefined : tokenProblem(value)
    if (problem !== undefined) this.wrong(`${name} ${problem}. ${tokenAdvice(use)}`, value)
    return value
  }

  /** Like {@link VariableReader.token}, for what may be left out and never goes over the wire. */
  secret(name: string, use: string): string | undefined {
    const value = this.find(name)
    if (value === undefined || value.length >= MIN_SECRET_LENGTH) return value
    const least = String(MIN_SECRET_LENGTH)
    const advice = `Set it to at least ${least} characters, for example the output of: openssl rand -hex 24`
    return this.wrong(`${name} is too short. ${advice}. ${use}.`, value)
  }

  choice<Value>(name: string, choices: Readonly<Record<string, Value>>, fallback: Value): Value {
    const value = this.find(name)
    if (value === undefined) return fallback
    const key = value.toLowerCase()
    const chosen = Object.hasOwn(choices, key) ? choices[key] : undefined
    if (chosen !== undefined) return chosen
    const list = Object.keys(choices).join(', ')
    return this.wrong(`${name} must be one of ${list}; got '${value}'.`, fallback)
  }

  integer(name: string, { fallback, least, most }: Range): number {
    const value = this.find(name)
    if (value === undefined) return fallback
    const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN
    if (number >= least && number <= most) return number
    const range = `from ${String(least)} to ${String(most)}`
    return this.wrong(`${name} must be a whole number ${range}, got '${value}'.`, fallback)
  }

  /** Whole seconds in the environment, ms in here. */
  /** A number from 0 to 1. */
  share(name: string, fallback: number): number {
    const text = this.find(name)
    if (text === undefined) return fallback
    const share = Number(text)
    if (share >= 0 && share <= 1) return share
    return this.wrong(`${name} must be a number from 0 to 1, got '${text}'.`, fallback)
  }

  seconds(name: string, { fallback, most }: Omit<Range, 'least'>): number {
    return this.integer(name, { fallback, least: 1, most }) * 1000
  }

  finish(): void {
    const problems = this.#problems
    if (problems.length === 0) return
    throw new ConfigError('CONFIG_INVALID', { message: problems.join('\n'), details: { problems } })
  }

  /** Set to nothing, as compose files and .env files do, is the same as not set. */
  find(name: string): string | undefined {
    const value = this.#variables[name]?.trim()
    return value === '' ? undefined : value
  }

  /** Keeps a problem for the end; the reading goes on with the stand-in. */
  wrong<Value>(problem: string, standIn: Value): Value {
    this.#problems.push(problem)
    return standIn
  }
}

function tokenAdvice(use: string): string {
  return `Set it to a long random text, for example the output of: openssl rand -hex 24. ${use}.`
}
