/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One value that cannot be used. */
export interface ConfigProblem {
  /** Name of the option or of the environment variable. */
  readonly name: string
  /** What was given; absent when it may be a secret. */
  readonly value?: unknown
  readonly expected: string
}

/** What a number must be. */
export interface NumberRule {
  readonly min: number
  /** Default: none. */
  readonly max?: number
  readonly integer?: boolean
  /** What one unit of the environment is in units of the option: 1000 for seconds and ms. */
  readonly scale?: number
}

/**
 * Reads settings: the option if given, else the environment variable, else the default. Goes on
 * after a wrong value, so that all of them can be told at once.
 */
export class SettingsReader {
  readonly problems: ConfigProblem[] = []
  readonly #env: Environment

  constructor(env: Environment) {
    this.#env = env
  }

  /** The text of a variable; one that is empty counts as not set. */
  text(variable: string): string | undefined {
    const value = this.#env[variable]?.trim()
    return value === '' ? undefined : value
  }

  /** A number. Options are in units of the option, variables in those of {@link NumberRule.scale}. */
  number(
    variable: string,
    fallback: number,
    rule: NumberRule,
    option?: readonly [name: string, value: number | undefined],
  ): number {
    const { min, max = Infinity, integer = false, scale = 1 } = rule
    const given = option?.[1]
    const raw = given ?? this.text(variable)
    if (raw === undefined) return fallback
    const value = typeof raw === 'number' ? raw : Number(raw) * scale
    const isWithin = Number.isFinite(value) && value >= min && value <= max
    if (isWithin && (!integer || Number.isInteger(value))) return value
    const isOption = option?.[1] !== undefined
    const [unit, least] =
      scale === 1 ? ['', min] : isOption ? [' of milliseconds', min] : [' of seconds', min / scale]
    this.problems.push({
      name: isOption ? option[0] : variable,
      value: raw,
      expected: `a ${integer && scale === 1 ? 'whole ' : ''}number${unit}, at least ${least}${
        max === Infinity ? '' : `, at most ${max}`
      }`,
    })
    return fallback
  }

  /** A yes or no. */
  flag(variable: string, fallback: boolean): boolean {
    const text = this.text(variable)
    if (text === undefined) return fallback
    const lower = text.toLowerCase()
    if (YES.has(lower)) return true
    if (NO.has(lower)) return false
    this.problems.push({ name: variable, value: text, expected: 'true or false' })
    return fallback
  }

  /** A variable that holds JSON of a certain kind. */
  json<T>(
    variable: string,
    fallback: T,
    isKind: (value: unknown) => value is T,
    expected: string,
  ): T {
    const text = this.text(variable)
    if (text === undefined) return fallback
    const value = parseJson(text)
    if (isKind(value)) return value
    this.problems.push({ name: variable, value: text, expected })
    return fallback
  }

  /** The names and values of all variables with this prefix. */
  withPrefix(prefix: string): [name: string, value: string][] {
    return Object.entries(this.#env).flatMap(([name, value]) =>
      name.startsWith(prefix) && name.length > prefix.length && value !== undefined
        ? [[name.slice(prefix.length), value]]
        : [],
    )
  }
}

const YES: ReadonlySet<string> = new Set(['true', '1', 'yes', 'on'])
const NO: ReadonlySet<string> = new Set(['false', '0', 'no', 'off'])

/** The value of a JSON text, or `undefined` when it is not JSON: `undefined` is no JSON value. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller tells what was expected instead.
    return undefined
  }
}
