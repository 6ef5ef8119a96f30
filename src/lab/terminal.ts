import { emitKeypressEvents } from 'node:readline'
import { errorMessage } from '../core/errors.ts'
import type { Lab } from './lab.ts'
import { paint } from './lines.ts'
import { nodeRoom, screen } from './screen.ts'

interface TerminalOptions {
  readonly lab: Lab
  readonly page: string | undefined
  /** Monotonic milliseconds of the lab's start. */
  readonly startedAt: number
  /** Called when the user quits. */
  readonly quit: (cause: string) => void
  readonly input?: NodeJS.ReadStream
  readonly output?: NodeJS.WriteStream
}

interface Key {
  readonly name?: string
  readonly ctrl?: boolean
  readonly sequence?: string
}

const redrawMs = 1_000
/** How long a reply to a key stays. */
const noticeMs = 8_000
const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?1049l\x1b[?25h'

/** The lab in a terminal: a table, rendered each second, and keys. Closing restores the previous screen. */
export class LiveTerminal {
  readonly #options: TerminalOptions
  readonly #input: NodeJS.ReadStream
  readonly #output: NodeJS.WriteStream
  readonly #timer: NodeJS.Timeout
  readonly #onKey = (_text: string | undefined, key: Key) => this.#onKeypress(key)
  readonly #redraw = () => this.#renderScreen()
  readonly #close = () => this.close()
  #selected = ''
  #notice = ''
  #noticedAt = 0
  #help = false
  #closed = false

  constructor(options: TerminalOptions) {
    this.#options = options
    this.#input = options.input ?? process.stdin
    this.#output = options.output ?? process.stdout
    this.#output.write(enter)
    // On every exit, and before Node.js prints an uncaught exception.
    process.on('exit', this.#close)
    process.on('uncaughtExceptionMonitor', this.#close)
    this.#output.on('resize', this.#redraw)
    if (this.#input.isTTY) {
      emitKeypressEvents(this.#input)
      this.#input.setRawMode(true)
      this.#input.on('keypress', this.#onKey).resume()
    }
    this.#timer = setInterval(this.#redraw, redrawMs)
    this.#renderScreen()
  }

  /** Restores the terminal. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    process.off('exit', this.#close)
    process.off('uncaughtExceptionMonitor', this.#close)
    this.#output.off('resize', this.#redraw)
    if (this.#input.isTTY) {
      this.#input.off('keypress', this.#onKey).pause()
      this.#input.setRawMode(false)
    }
    this.#output.write(leave)
  }

  #renderScreen(): void {
    if (this.#closed) return
    const { lab, page, startedAt } = this.#options
    const view = lab.view(false)
    if (performance.now() - this.#noticedAt > noticeMs) this.#notice = ''
    if (!view.nodes.some(({ name }) => name === this.#selected)) this.#selected = view.nodes[0]?.name ?? ''
    const lines = screen({
      view,
      spans: lab.spans,
      selected: this.#selected,
      columns: this.#output.columns || 80,
      rows: this.#output.rows || 24,
      seconds: (performance.now() - startedAt) / 1_000,
      page,
      notice: this.#notice,
      help: this.#help,
      paint,
    })
    this.#output.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}`)
  }

  #onKeypress({ name = '', ctrl = false, sequence = '' }: Key): void {
    const { quit, page } = this.#options
    this.#notice = ''
    this.#noticedAt = performance.now()
    if (name === 'q' || (ctrl && (name === 'c' || name === 'd'))) quit(name === 'q' ? 'q' : 'Ctrl-C')
    else if (ctrl) return
    else if (name === 'up' || name === 'k') this.#move(-1)
    else if (name === 'down' || name === 'j') this.#move(1)
    else if (name === 'pageup') this.#move(-this.#pageRows())
    else if (name === 'pagedown') this.#move(this.#pageRows())
    else if (name === 'home') this.#move(Number.NEGATIVE_INFINITY)
    else if (name === 'end') this.#move(Number.POSITIVE_INFINITY)
    else if (sequence === '?') this.#help = !this.#help
    else if (name === 'o') this.#notice = page === undefined ? 'no page' : `page: ${page}`
    else this.#runAction(name)
    this.#renderScreen()
  }

  #move(by: number): void {
    const names = this.#options.lab.nodes().flatMap((node) => (node.controllable ? [node.name] : []))
    const at = names.indexOf(this.#selected) + by
    this.#selected = names[Math.max(0, Math.min(names.length - 1, at))] ?? ''
  }

  /** Nodes that the table shows at a time. */
  #pageRows(): number {
    return nodeRoom({ view: this.#options.lab.view(false), rows: this.#output.rows || 24 })
  }

  #runAction(key: string): void {
    const { lab } = this.#options
    const node = lab.nodes().find(({ name }) => name === this.#selected)
    if (node === undefined) return
    const { name, state, meshes } = node
    const actions: Readonly<Record<string, readonly [string, () => Promise<unknown>]>> = {
      x: [`killing ${name}`, () => lab.killNode(name)],
      s: [`stopping ${name}`, () => lab.stopNode(name)],
      p:
        state === 'paused'
          ? [`resuming ${name}`, () => lab.resumeNode(name)]
          : [`pausing ${name}`, () => lab.pauseNode(name)],
      r: [`starting ${name}`, () => lab.startNode(name, 'same')],
      f: [`starting ${name} with a fresh identity`, () => lab.startNode(name, 'fresh')],
      n: [`adding a node to ${meshes[0]}`, () => lab.spawn('compute', meshes[0] ?? '')],
    }
    const action = actions[key]
    if (action === undefined) return
    const [notice, run] = action
    this.#notice = notice
    run().catch((error: unknown) => {
      this.#notice = errorMessage(error)
      this.#renderScreen()
    })
  }
}
