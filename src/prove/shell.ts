import { addAbortListener } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { Subprocess } from '../processes/subprocess.ts'

/** The checkout under test. */
export const root = resolve(import.meta.dirname, '../..')

/** Absolute path of a program below `src/testing`. */
export const testProgram = (file: string) => join(root, 'src/testing', file)

export interface CommandResult {
  readonly code: number | null
  readonly seconds: number
  /** Standard output and error together, the last 100,000 characters. */
  readonly output: string
}

/** Runs a command line to its end, in its own process group, which `signal` ends: SIGTERM, and SIGKILL 3 s later. */
export async function sh(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<CommandResult> {
  const began = performance.now()
  const line = ['sh', '-c', command]
  const child = new Subprocess({ name: command, command: line, cwd, env, ownGroup: true, outputChars: 100_000 })
  using _ = addAbortListener(signal, () => void child.stop(3_000))
  const { code, output } = await child.exited
  return { code, seconds: (performance.now() - began) / 1_000, output }
}

/** This process's environment without the variables of npm and the launcher; `bin` comes first in PATH. */
export function plainEnvironment(bin?: string): NodeJS.ProcessEnv {
  const variables = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_(?!EXTRA_CA_CERTS$)|INIT_CWD|SEED$|MALLOC_|TOKIO_|MESH_|OTEL_|CI$)/i.test(name),
  )
  const env = Object.fromEntries(variables)
  const path = (env['PATH'] ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'))
  return { ...env, PATH: [...(bin === undefined ? [] : [bin]), ...path].join(delimiter) }
}

/** Processes that run in `directory` or name it in their command line, as a watchdog does. Linux only. */
export function processesIn(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const inside = readlinkSync(`/proc/${pid}/cwd`).startsWith(directory)
        return inside || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory)
      } catch {
        return false
      }
    })
}
