import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'

/** The checkout under test. */
export const root = resolve(import.meta.dirname, '../..')

export interface CommandResult {
  readonly code: number | null
  readonly seconds: number
  /** Standard output and error together, the last 100,000 characters. */
  readonly output: string
}

const maxOutputCharacters = 100_000

/** Runs a command line to its end, in its own process group, which `signal` terminates. */
export async function sh(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<CommandResult> {
  const began = performance.now()
  const child = spawn('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  const append = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-maxOutputCharacters)
  }
  child.stdout.on('data', append)
  child.stderr.on('data', append)
  const abort = () => child.pid !== undefined && process.kill(-child.pid, 'SIGTERM')
  signal.addEventListener('abort', abort, { once: true })
  const [code] = (await once(child, 'close')) as [number | null]
  signal.removeEventListener('abort', abort)
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
