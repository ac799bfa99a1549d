/** What the demo writes: colours where somebody can see them, plain text elsewhere. */
import { stripVTControlCharacters, styleText } from 'node:util'

const BAR_WIDTH = 30

export class Screen {
  readonly #stream: NodeJS.WriteStream
  readonly #hasColours: boolean
  #chapter = 0

  constructor(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv) {
    this.#stream = stream
    this.#hasColours = stream.isTTY && !env['NO_COLOR']
  }

  title(text: string): void {
    this.#line(styleText('bold', text))
  }

  chapter(text: string): void {
    this.#chapter += 1
    this.#line(`\n${styleText(['bold', 'cyan'], `${String(this.#chapter)}. ${text}`)}`)
  }

  say(text: string): void {
    this.#line(`   ${text}`)
  }

  good(text: string): void {
    this.#line(`   ${styleText('green', '✓')} ${text}`)
  }

  bad(text: string): void {
    this.#line(`   ${styleText('red', '✗')} ${text}`)
  }

  /** Something a reader may want to type or look up. */
  code(text: string): void {
    this.#line(`     ${styleText('yellow', text)}`)
  }

  /** Draws over itself on a terminal; elsewhere only the full bar is written. */
  bar(share: number, label: string): void {
    const isFull = share >= 1
    if (!this.#stream.isTTY && !isFull) return
    const full = Math.round(share * BAR_WIDTH)
    const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)}`
    const percent = `${String(Math.round(share * 100))} %`.padStart(5)
    const line = `   ${styleText('green', bar)} ${percent}  ${label}`
    if (this.#stream.isTTY) this.#write(`\r\x1b[2K${this.#painted(line)}`)
    else this.#write(this.#painted(line))
    if (isFull) this.#write('\n')
  }

  #line(text: string): void {
    this.#write(`${this.#painted(text)}\n`)
  }

  #painted(text: string): string {
    return this.#hasColours ? text : stripVTControlCharacters(text)
  }

  #write(text: string): void {
    this.#stream.write(text)
  }
}
