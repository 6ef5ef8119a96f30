import { fileURLToPath } from 'node:url'
import { stopWithinMs } from '../../lab/stop.ts'
import type { MeshView } from '../../page/mesh-view.ts'
import { nodeCommand, nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { type NodeProcess, startProcess } from './node-process.ts'

/** A lab in its own process. */
export interface LabProcess extends AsyncDisposable {
  /** Of its page, without a trailing slash. */
  readonly url: string
  readonly pid: number
  view(): Promise<MeshView>
  /** Kills, stops or starts one of its nodes. Rejects when the lab refuses. */
  act(node: string, verb: 'kill' | 'stop' | 'start'): Promise<void>
  /** The end of its standard error. */
  stderr(): string
  /** Sends SIGKILL. */
  kill(): void
  /** Sends SIGTERM, and SIGKILL when that does not end it; resolves with its exit code. */
  stop(): Promise<number | null>
}

const program = fileURLToPath(new URL('../../commands/main.ts', import.meta.url))
const bounds = { startMs: 120_000 }

/** Starts `tracemesh lab` with these arguments, on free ports, and resolves once its page is up. */
export async function startLabProcess(...args: string[]): Promise<LabProcess> {
  const page = Promise.withResolvers<string>()
  const lab = new Subprocess({
    name: 'the lab',
    command: nodeCommand(program, ['lab', '--json', '--page', '127.0.0.1:0', ...args]),
    onLine: () => {},
    onErrorLine: (line) => {
      const url = /^Page: (http\S+)/.exec(line)?.[1]
      if (url !== undefined) page.resolve(url)
    },
  })
  const url = await lab.ready(page.promise, bounds.startMs)
  const stop = async () => (await lab.stop(stopWithinMs)).code
  return {
    url,
    pid: lab.pid,
    view: async () => (await (await fetch(`${url}/api/mesh`)).json()) as MeshView,
    act: async (node, verb) => {
      const answer = await fetch(`${url}/api/lab/nodes/${node}/${verb}`, { method: 'POST' })
      if (!answer.ok) throw new Error(`${verb} ${node}: ${await answer.text()}`)
    },
    stderr: () => lab.output,
    kill: () => lab.signal('SIGKILL'),
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}

export interface StoreProcess {
  readonly process: NodeProcess
  readonly otlpUrl: string
  readonly queryUrl: string
}

/** Starts `tracemesh store` in its own process, on free loopback ports. */
export async function startStoreProcess(file: string, flags: readonly string[] = []): Promise<StoreProcess> {
  const args = ['store', '--otlp', '127.0.0.1:0', '--http', '127.0.0.1:0', '--file', file, ...flags]
  const process = await startProcess({ name: 'store', entry: program, args, env: nodeEnvironment() })
  const listening = process.log.find(({ msg }) => msg === 'listening')
  return { process, otlpUrl: String(listening?.['otlp']), queryUrl: String(listening?.['query']) }
}
