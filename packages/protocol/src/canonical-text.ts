// The canonical form of a text as it was received. Numbers have several spellings (10, 10.0, 1e-06,
// 0.000001) and may be larger than JavaScript can tell, so each is taken as it was written. The text is walked
// once and copied in pieces: to parse it with the source of each number takes five times as long, and a message
// of megabytes would hold up everybody else.
import { assertDepth, byCodePoint, type CanonicalOptions } from './canonical-json.ts'

/**
 * The canonical form of a text of JSON, its numbers as they stand there.
 *
 * @throws {@link InputError} `DATA_TOO_DEEP` for more than 100 levels. SyntaxError for what is no JSON.
 */
export function canonicalText(text: string, { without = [] }: CanonicalOptions = {}): string {
  // From here on it is known to be JSON, and nothing below has to make sure.
  JSON.parse(text)
  return new Walk(text).value(without, 1)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SPACE = 0x20

/** A member of an object, on its way into the order of its kind. */
interface Member {
  readonly key: string
  readonly text: string
}

class Walk {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Reads the value that is next. */
  value(without: readonly string[], depth: number): string {
    const first = this.#next()
    if (first === OPEN_OBJECT) return this.#object(without, depth)
    if (first === OPEN_ARRAY) return this.#array(depth)
    return first === QUOTE ? this.#string() : this.#word()
  }

  #object(without: readonly string[], depth: number): string {
    assertDepth(depth)
    // A key that comes twice counts as it came last, as for JSON.parse.
    const members = new Map<string, Member>()
    this.#at += 1
    while (this.#next() !== CLOSE_OBJECT) {
      const name = this.#string()
      const key = name.includes('\\') ? (JSON.parse(name) as string) : name.slice(1, -1)
      this.#next()
      // The colon.
      this.#at += 1
      const value = this.value([], depth + 1)
      members.set(key, { key, text: value === 'null' ? '' : `${name}:${value}` })
      this.#skipComma()
    }
    this.#at += 1
    const kept = [...members.values()].filter(
      ({ key, text }) => text !== '' && !without.includes(key),
    )
    kept.sort((a, b) => byCodePoint(a.key, b.key))
    return `{${kept.map(({ text }) => text).join(',')}}`
  }

  #array(depth: number): string {
    assertDepth(depth)
    const items: string[] = []
    this.#at += 1
    while (this.#next() !== CLOSE_ARRAY) {
      items.push(this.value([], depth + 1))
      this.#skipComma()
    }
    this.#at += 1
    return `[${items.join(',')}]`
  }

  /** A text in its quotes, with escapes only where there must be some. */
  #string(): string {
    const start = this.#at
    let isEscaped = false
    for (this.#at += 1; ; this.#at += 1) {
      const unit = this.#text.charCodeAt(this.#at)
      if (unit === QUOTE) break
      if (unit !== BACKSLASH) continue
      isEscaped = true
      this.#at += 1
    }
    this.#at += 1
    const literal = this.#text.slice(start, this.#at)
    return isEscaped ? JSON.stringify(JSON.parse(literal)) : literal
  }

  /** A number, `true`, `false` or `null`. */
  #word(): string {
    const start = this.#at
    while (isInWord(this.#text.charCodeAt(this.#at))) this.#at += 1
    return this.#text.slice(start, this.#at)
  }

  /** Goes on to what is not space, and tells what it is. */
  #next(): number {
    while (this.#text.charCodeAt(this.#at) <= SPACE) this.#at += 1
    return this.#text.charCodeAt(this.#at)
  }

  #skipComma(): void {
    if (this.#next() === COMMA) this.#at += 1
  }
}

/** Letters, digits and signs; the end of the text is none of them. */
function isInWord(unit: number): boolean {
  return unit > SPACE && unit !== COMMA && unit !== CLOSE_ARRAY && unit !== CLOSE_OBJECT
}
