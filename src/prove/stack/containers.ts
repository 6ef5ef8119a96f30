import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { containerMemory } from './memory.ts'

export interface Container {
  readonly id: string
  readonly service: string
  readonly pid: number
  readonly oomKilled: boolean
  readonly restarts: number
  readonly limitMb: number
}

export interface MemoryAccount {
  readonly service: string
  readonly limitMb: number
  /** Highest of all samples. */
  readonly workingMb: number
  readonly peakMb: number
}

const template =
  '{{.ID}} {{index .Config.Labels "com.docker.compose.service"}} {{.State.Pid}} {{.State.OOMKilled}} {{.RestartCount}} {{.HostConfig.Memory}}'

/** Standard output of `docker`. Throws with its standard error. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args, { maxBuffer: 16 << 20 })
  return stdout.trim()
}

/** Containers of a Compose project, also exited ones. */
export async function containersOf(project: string): Promise<readonly Container[]> {
  const ids = await listLines('ps', '--all', '--quiet', '--filter', label(project))
  if (ids.length === 0) return []
  const lines = await docker('inspect', '--format', template, ...ids)
  return lines.split('\n').map((line) => {
    const [id = '', service = '', pid, oomKilled, restarts, bytes] = line.split(' ')
    const limitMb = Number(bytes) / 2 ** 20
    return { id, service, pid: Number(pid), oomKilled: oomKilled === 'true', restarts: Number(restarts), limitMb }
  })
}

/** Remaining objects of these kinds of the project, by kind and name. */
export async function remainingObjects(project: string, kinds: readonly ('container' | 'network' | 'volume')[]) {
  const found = await Promise.all(
    kinds.map(async (kind) => {
      const all = kind === 'container' ? ['--all'] : []
      const names = await listLines(kind, 'ls', '--quiet', ...all, '--filter', label(project))
      return names.map((name) => `${kind} ${name}`)
    }),
  )
  return found.flat()
}

async function listLines(...args: readonly string[]): Promise<readonly string[]> {
  return (await docker(...args)).split('\n').filter((line) => line !== '')
}

function label(project: string): string {
  return `label=com.docker.compose.project=${project}`
}

/** Samples the memory of every container until `stop`. */
export class MemoryWatch {
  readonly #project: string
  readonly #timer: NodeJS.Timeout
  #accounts: readonly (MemoryAccount & { readonly id: string })[] = []

  /** A sample lists the containers with Docker and reads a few small files of each. */
  constructor(project: string, sampleMs = 5_000) {
    this.#project = project
    this.#timer = setInterval(() => void this.#sample().catch(() => {}), sampleMs)
  }

  /** One for each container so far, the one nearest to its limit first. */
  async stop(): Promise<readonly MemoryAccount[]> {
    clearInterval(this.#timer)
    await this.#sample()
    const accounts = this.#accounts.map(({ id, ...account }) => account)
    return accounts.toSorted((a, b) => b.workingMb / b.limitMb - a.workingMb / a.limitMb)
  }

  async #sample(): Promise<void> {
    for (const { id, service, pid, limitMb } of await containersOf(this.#project)) {
      const memory = pid === 0 ? undefined : await containerMemory(pid)
      if (memory === undefined) continue
      const before = this.#accounts.find((account) => account.id === id)
      const workingMb = Math.max(before?.workingMb ?? 0, memory.workingMb)
      const peakMb = Math.max(before?.peakMb ?? 0, memory.peakMb)
      this.#accounts = [
        ...this.#accounts.filter((account) => account.id !== id),
        { id, service, limitMb, workingMb, peakMb },
      ]
    }
  }
}
