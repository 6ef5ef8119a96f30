import { nodeCommand } from '../processes/node-program.ts'
import { Subprocess } from '../processes/subprocess.ts'
import { until } from '../processes/waiting.ts'
import { testProgram } from './shell.ts'

/** A line that a program of `src/testing` prints. */
export type ProgramEvent = Readonly<Record<string, unknown>>

export interface TestProgram extends AsyncDisposable {
  /** Events that no `nextEvent` has taken, oldest first. */
  readonly events: readonly ProgramEvent[]
  write(line: string): void
  /** Takes the next event of this kind. */
  nextEvent(event: string, limitMs: number): Promise<ProgramEvent>
  /** Sends SIGKILL. */
  kill(): Promise<void>
}

/** Starts a program of `src/testing` that prints events, reads lines, and ends with its input. */
export function startProgram(file: string, args: readonly string[]): TestProgram {
  const events: ProgramEvent[] = []
  const onLine = (line: string) => void events.push(JSON.parse(line))
  const child = new Subprocess({ name: file, command: nodeCommand(testProgram(file), args), input: true, onLine })
  return {
    events,
    write: (line) => child.write(`${line}\n`),
    nextEvent: async (event, limitMs) => {
      const find = () => events.findIndex((one) => one['event'] === event)
      await until(() => find() >= 0, limitMs, `${file} emits ${event}`, child.ended)
      const [next] = events.splice(find(), 1)
      return next ?? {}
    },
    kill: async () => void (await child.stop(0, 'SIGKILL')),
    [Symbol.asyncDispose]: async () => void (await child.endInput(10_000)),
  }
}
