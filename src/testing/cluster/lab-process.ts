import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { MeshView } from '../../page/mesh-view.ts'

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
  /** Sends SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>
}

const program = fileURLToPath(new URL('../../commands/main.ts', import.meta.url))
const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=1']

/** Starts `tracemesh lab` with these arguments, on free ports, and resolves once its page is up. */
export async function startLabProcess(...args: string[]): Promise<LabProcess> {
  const command = [...flags, program, 'lab', '--json', '--page', '127.0.0.1:0', ...args]
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] })
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve))
  const page = Promise.withResolvers<string>()
  let stderr = ''
  createInterface({ input: child.stderr }).on('line', (line) => {
    stderr = `${stderr}${line}\n`.slice(-4_000)
    const url = /^Page: (http\S+)/.exec(line)?.[1]
    if (url !== undefined) page.resolve(url)
  })
  void closed.then(() => page.reject(new Error(`the lab ended before its page was up: ${stderr}`)))
  const url = await page.promise
  const stop = async () => {
    child.kill('SIGTERM')
    return closed
  }
  const view = async () => (await (await fetch(`${url}/api/mesh`)).json()) as MeshView
  const act = async (node: string, verb: string) => {
    const answer = await fetch(`${url}/api/lab/nodes/${node}/${verb}`, { method: 'POST' })
    if (!answer.ok) throw new Error(`${verb} ${node}: ${await answer.text()}`)
  }
  const kill = () => void child.kill('SIGKILL')
  return {
    url,
    pid: child.pid ?? 0,
    view,
    act,
    stderr: () => stderr,
    kill,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}
