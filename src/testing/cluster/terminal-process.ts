import { stripVTControlCharacters } from 'node:util'
import { nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'

/** A program in a terminal of its own. */
export interface TerminalProcess extends AsyncDisposable {
  /** The lines of the last whole screen that the program has drawn; empty before the first one. */
  screen(): string[]
  /** All that it has printed, without control characters. */
  text(): string
  type(keys: string): void
  /** Milliseconds until its first output. */
  readonly firstOutput: Promise<number>
  /** Its exit code. */
  readonly exited: Promise<number | null>
}

interface TerminalOptions {
  readonly columns: number
  readonly rows: number
  readonly command: readonly string[]
}

const home = '\x1b[H'
const leaveScreen = '\x1b[?1049l'
const stopMs = 20_000

/** Runs a command in a pseudo-terminal of that size, which `script` of util-linux makes. */
export function startInTerminal({ columns, rows, command }: TerminalOptions): TerminalProcess {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const first = Promise.withResolvers<number>()
  const startedAt = performance.now()
  const script = new Subprocess({
    name: 'script',
    command: ['script', '-qefc', `stty cols ${columns} rows ${rows}; exec ${quoted}`, '/dev/null'],
    env: { ...nodeEnvironment(), TERM: 'xterm', CI: undefined },
    input: true,
    outputChars: 4_000_000,
  })
  const poll = setInterval(() => {
    if (script.output === '' && !script.isClosed) return
    clearInterval(poll)
    first.resolve(performance.now() - startedAt)
  }, 20)
  const exited = script.exited.then(({ code }) => code)
  return {
    screen: () => {
      const frames = script.output.split(home).slice(1).map(linesOf)
      return frames.findLast(({ length }) => length >= rows)?.slice(0, rows) ?? []
    },
    text: () => linesOf(script.output).join('\n'),
    type: (keys) => script.write(keys),
    firstOutput: first.promise,
    exited,
    [Symbol.asyncDispose]: async () => {
      clearInterval(poll)
      script.write('\x03')
      await script.exitWithin(stopMs)
    },
  }
}

function linesOf(text: string): string[] {
  return stripVTControlCharacters(text.replaceAll(home, '\n').replaceAll(leaveScreen, '\n')).split(/\r*\n/)
}
