import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { freeTcpPorts } from '../../processes/free-ports.ts'
import type { ProofContext } from '../proof.ts'
import { plainEnvironment, root, sh } from '../shell.ts'

const template =
  '{{.ID}} {{index .Config.Labels "com.docker.compose.service"}} {{.State.Pid}} {{.State.OOMKilled}} {{.RestartCount}} {{.HostConfig.Memory}}'

/** Standard output of `docker`. Throws with its standard error. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args, { maxBuffer: 16 << 20 })
  return stdout.trim()
}

/** Containers of a Compose project, also exited ones. */
export async function containersOf(project: string) {
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

/** Memory of a container, in MiB: the highest of all samples. */
interface MemoryAccount {
  readonly service: string
  readonly limitMb: number
  readonly workingMb: number
  readonly peakMb: number
}

/** Samples the memory of every container until `stop`. */
export class MemoryWatch {
  readonly #project: string
  readonly #timer: NodeJS.Timeout
  /** By the id of the container. */
  readonly #accounts = new Map<string, MemoryAccount>()

  /** A sample lists the containers with Docker and reads a few small files of each. */
  constructor(project: string, sampleMs = 5_000) {
    this.#project = project
    this.#timer = setInterval(() => void this.#sample().catch(() => {}), sampleMs)
  }

  /** One for each container so far, the one nearest to its limit first. */
  async stop(): Promise<readonly MemoryAccount[]> {
    clearInterval(this.#timer)
    await this.#sample()
    return [...this.#accounts.values()].sort((a, b) => b.workingMb / b.limitMb - a.workingMb / a.limitMb)
  }

  async #sample(): Promise<void> {
    for (const { id, service, pid, limitMb } of await containersOf(this.#project)) {
      const memory = pid === 0 ? undefined : await containerMemory(pid)
      if (memory === undefined) continue
      const before = this.#accounts.get(id)
      const workingMb = Math.max(before?.workingMb ?? 0, memory.workingMb)
      const peakMb = Math.max(before?.peakMb ?? 0, memory.peakMb)
      this.#accounts.set(id, { service, limitMb, workingMb, peakMb })
    }
  }
}

/** Files of the two versions of control groups. */
const versions = [
  {
    line: /^\d+:memory:(.*)$/m,
    mount: '/sys/fs/cgroup/memory',
    usage: 'memory.usage_in_bytes',
    peak: 'memory.max_usage_in_bytes',
    inactive: /^total_inactive_file (\d+)$/m,
  },
  {
    line: /^0::(.*)$/m,
    mount: '/sys/fs/cgroup',
    usage: 'memory.current',
    peak: 'memory.peak',
    inactive: /^inactive_file (\d+)$/m,
  },
] as const

/**
 * Memory of the container of the process `pid` of this machine, in MiB: its working set, which is its usage without
 * inactive file pages, and the kernel's high-water mark with them. Undefined when the process has ended.
 */
async function containerMemory(pid: number) {
  try {
    const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8')
    for (const { line, mount, usage, peak, inactive } of versions) {
      const path = line.exec(groups)?.[1]
      if (path === undefined || path === '/') continue
      const read = (name: string) => readFile(`${mount}${path}/${name}`, 'utf8')
      const [used, highest, stat] = await Promise.all([read(usage), read(peak), read('memory.stat')])
      const idle = Number(inactive.exec(stat)?.[1] ?? 0)
      return { workingMb: toMb(Number(used) - idle), peakMb: toMb(Number(highest)) }
    }
  } catch {
    // The process ended between two reads.
  }
  return undefined
}

function toMb(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

export type ComposeStack = Awaited<ReturnType<typeof composeStack>>

const keys = [
  ...['PAGE_PORT', 'JAEGER_UI_PORT', 'PROMETHEUS_PORT', 'ALERTMANAGER_PORT', 'GRAFANA_PORT'],
  ...['OTLP_PORT', 'OTLP_HTTP_PORT', 'COLLECTOR_HEALTH_PORT'],
]

/** Commands of each version of Compose; v2 may be the one that `deploy/offline.sh compose` builds. */
const commands = {
  v1: ['docker-compose'],
  v2: [
    'docker compose',
    join(process.env['TRACEMESH_STACK'] || join(homedir(), '.cache/tracemesh/stack'), 'bin/docker-compose-v2'),
  ],
} as const

export type ComposeVersion = keyof typeof commands

export const composeCommands: readonly string[] = Object.values(commands).flat()

/** The command of that Compose, or what is missing to run it. */
export async function composeCommand(
  version: ComposeVersion,
  signal: AbortSignal,
): Promise<{ readonly command: string } | { readonly missing: string }> {
  const daemon = await docker('info', '--format', '{{.ServerVersion}}').catch((error: unknown) => error)
  if (typeof daemon !== 'string') return { missing: `Docker cannot be reached: ${String(daemon).slice(0, 200)}` }
  for (const command of commands[version]) {
    const { code, output } = await sh(`${command} version`, '/', plainEnvironment(), signal)
    if (code === 0 && output.includes(version === 'v1' ? 'version 1.' : ' v2.')) return { command }
  }
  return {
    missing: `Compose ${version} is not installed (deploy/offline.sh ${version === 'v1' ? 'docker' : 'compose'})`,
  }
}

/** Variables that separate the stack of `project` from any other: its own ports, and its Compose. */
export async function stackEnvironment(compose: string, project: string): Promise<Readonly<Record<string, string>>> {
  const ports = await freeTcpPorts(keys.map(() => 0))
  return {
    ...(plainEnvironment() as Record<string, string>),
    ...Object.fromEntries(keys.map((key, index) => [key, String(ports[index])])),
    COMPOSE: compose,
    COMPOSE_PROJECT_NAME: project,
  }
}

/** Settings as people write them on any system, in a file whose path has a space. */
async function writeSettings(directory: string, settings: Readonly<Record<string, string>>): Promise<string> {
  const file = join(directory, 'own settings.env')
  const lines = Object.entries(settings).map(([key, value], index) =>
    index % 2 === 0 ? `export ${key} = "${value}"   # quoted` : `${key}=${value}`,
  )
  await writeFile(file, `\ufeff# Settings of a proof\r\n${lines.join('\r\n')}\r\n`)
  return file
}

/**
 * The containers' stack of the clone in `directory`, with its own project, ports and image name, all from a settings
 * file: `start` names it, and later scripts find the stack by themselves.
 */
export async function composeStack(directory: string, clone: string, compose: string, { signal }: ProofContext) {
  const project = `tracemesh-proof-${process.pid}`
  const image = `tracemesh/node:${project}`
  const { COMPOSE, ...ports } = await stackEnvironment(compose, project)
  const values = Object.fromEntries(Object.entries(ports).filter(([key]) => keys.includes(key)))
  const own = { COMPOSE_PROJECT_NAME: project, TRACEMESH_IMAGE: image, PUBLIC_HOST: 'localhost', JAEGER_TTL: '7d' }
  const file = JSON.stringify(await writeSettings(directory, { ...values, ...own }))
  const env = plainEnvironment()
  const at = (key: string) => `http://localhost:${values[key]}`
  const run = (command: string) => sh(`deploy/${command}`, clone, env, signal)
  const remove = async () => {
    // No pipe, which may close before the command ends.
    const down = `deploy/stop.sh --settings ${file} --delete-data >/dev/null 2>&1`
    await sh(`${down}; docker image rm --force ${image} >/dev/null 2>&1`, clone, env, new AbortController().signal)
  }
  return {
    project,
    image,
    page: at('PAGE_PORT'),
    jaeger: at('JAEGER_UI_PORT'),
    prometheus: at('PROMETHEUS_PORT'),
    alertmanager: at('ALERTMANAGER_PORT'),
    build: () => run(`build.sh --settings ${file} --offline`),
    start: () => sh(`deploy/start.sh --settings ${file} --offline`, clone, { ...env, COMPOSE }, signal),
    /** Runs a script of the clone's deploy/ without any setting. */
    script: run,
    /** What start.sh keeps of the stacks that it has started. */
    records: () => globSync(join(clone, 'deploy/.started/**')),
    /** Removes the stack, its data and its image, also after an abort. */
    remove,
  }
}

/**
 * Clones this repository into `directory`/clone and applies the uncommitted changes of the work tree, without ignored
 * files. Returns the path. Throws when git fails.
 */
export async function cloneWithChanges(directory: string, signal: AbortSignal): Promise<string> {
  const clone = join(directory, 'clone')
  await git(`git clone --quiet ${JSON.stringify(root)} ${JSON.stringify(clone)}`, signal)
  const deleted = await names('git ls-files --deleted -z', signal)
  const changed = await names('git ls-files --modified --others --exclude-standard -z', signal)
  for (const name of deleted) await rm(join(clone, name), { force: true })
  for (const name of changed.filter((one) => !deleted.includes(one))) {
    await mkdir(dirname(join(clone, name)), { recursive: true })
    await cp(join(root, name), join(clone, name))
  }
  return clone
}

async function names(command: string, signal: AbortSignal): Promise<readonly string[]> {
  return (await git(command, signal)).split('\0').filter((name) => name !== '')
}

async function git(command: string, signal: AbortSignal): Promise<string> {
  const { code, output } = await sh(command, root, plainEnvironment(), signal)
  if (code !== 0) throw new Error(`${command}: ${output}`)
  return output
}
