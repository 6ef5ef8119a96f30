import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'

/** The checkout whose product is proven. */
export const root = resolve(import.meta.dirname, '../..')

export interface CommandResult {
  readonly code: number | null
  readonly seconds: number
  /** Standard output and error together, the last 100,000 characters. */
  readonly output: string
}

const keptCharacters = 100_000

/** Runs a command line to its end, in a process group of its own that ends with `signal`. */
export async function sh(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<CommandResult> {
  const began = performance.now()
  const child = spawn('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-keptCharacters)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const abort = () => child.pid !== undefined && process.kill(-child.pid, 'SIGTERM')
  signal.addEventListener('abort', abort, { once: true })
  const [code] = (await once(child, 'close')) as [number | null]
  signal.removeEventListener('abort', abort)
  return { code, seconds: (performance.now() - began) / 1_000, output }
}

/** This process's environment without what npm and the launcher have put there, `node` found in `bin` first. */
export function plainEnvironment(bin?: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_(?!EXTRA_CA_CERTS$)|INIT_CWD|SEED$|MALLOC_|TOKIO_|MESH_|OTEL_|CI$)/i.test(name),
  )
  const env = Object.fromEntries(kept)
  const path = (env['PATH'] ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'))
  return { ...env, PATH: [...(bin === undefined ? [] : [bin]), ...path].join(delimiter) }
}

/** Processes that run in `directory`, or whose command line names it: a watchdog runs elsewhere. Linux only. */
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
