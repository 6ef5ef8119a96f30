import { fileURLToPath } from 'node:url'
import { stopWithinMs } from '../../lab/stop.ts'
import { nodeCommand, nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import type { SoakReport } from '../../soak/report.ts'
import { childrenOf } from './process-tree.ts'

/** `tracemesh soak` in its own process. */
export interface SoakProcess extends AsyncDisposable {
  /** Lines of its standard error so far. */
  readonly progress: readonly string[]
  /** Resolves with its exit code, and its report if it printed one. */
  readonly ended: Promise<SoakEnd>
  /** Process ids of what it has started and is still running. */
  children(): number[]
  interrupt(): void
}

export interface SoakEnd {
  readonly code: number | null
  readonly report: SoakReport | undefined
  readonly stderr: string
}

const program = fileURLToPath(new URL('../../commands/main.ts', import.meta.url))

/** Starts `tracemesh soak --json` with these arguments. */
export function startSoakProcess(...args: string[]): SoakProcess {
  const progress: string[] = []
  const lines: string[] = []
  const child = new Subprocess({
    name: 'the soak',
    command: nodeCommand(program, ['soak', '--json', ...args]),
    env: nodeEnvironment(),
    onLine: (line) => lines.push(line),
    onErrorLine: (line) => progress.push(line),
  })
  const ended = child.exited.then(({ code, output }) => ({ code, report: reportIn(lines), stderr: output }))
  return {
    progress,
    ended,
    children: () => childrenOf(child.pid),
    interrupt: () => child.signal('SIGINT'),
    [Symbol.asyncDispose]: async () => void (await child.stop(stopWithinMs)),
  }
}

function reportIn([line]: readonly string[]): SoakReport | undefined {
  return line === undefined ? undefined : (JSON.parse(line) as SoakReport)
}
