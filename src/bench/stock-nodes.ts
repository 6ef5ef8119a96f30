import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { processUsage, type Usage } from '../testing/process-usage.ts'
import { until } from '../testing/until.ts'

export interface StockNode {
  readonly name: string
  readonly pid: number
  /** Open connections, as it said last. */
  connections(): number
  usage(): Promise<Usage>
}

export interface StockNodes extends AsyncDisposable {
  readonly nodes: readonly StockNode[]
}

interface Said {
  readonly addresses: readonly string[]
  readonly connections: number
}

const program = fileURLToPath(new URL('stock-node.js', import.meta.url))
const limitMs = 30_000
/** By default libp2p takes five connections a second from one host, and over QUIC the dialler of a sixth sees success. */
const paceMs = 400
const errorChars = 4_000

/**
 * `count` processes of stock js-libp2p with gossipsub, each connected to all others. Started by the same Node.js as
 * everything here, with no flag and no variable that a mesh node would get.
 */
export async function startStockNodes(count: number): Promise<StockNodes> {
  const children = Array.from({ length: count }, (_, i) => start(`stock-${i}`))
  const close = async () => {
    await Promise.all(children.map(({ end }) => end()))
  }
  try {
    await until(() => children.every(({ said }) => said().addresses.length > 0), limitMs, 'all stock nodes listen')
    for (const [i, { child, said }] of children.entries()) {
      child.send(children.slice(0, i).flatMap((other) => other.said().addresses))
      await until(() => said().connections === i, limitMs, `stock node ${i} has dialled those before it`)
      await sleep(paceMs)
    }
    const all = () => children.every(({ said }) => said().connections === count - 1)
    await until(all, limitMs, 'stock nodes are connected')
  } catch (error) {
    await close()
    throw error
  }
  return { nodes: children.map(({ node }) => node), [Symbol.asyncDispose]: close }
}

function start(name: string): { child: ChildProcess; node: StockNode; said: () => Said; end: () => Promise<void> } {
  const child = fork(program, { execPath: process.execPath, execArgv: [], env: plainEnvironment(), stdio: 'pipe' })
  child.stdout?.resume()
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-errorChars)
  })
  let last: Said = { addresses: [], connections: 0 }
  child.on('message', (message) => {
    last = message as Said
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const pid = child.pid ?? 0
  const node = { name, pid, connections: () => last.connections, usage: () => processUsage(pid) }
  const end = () => {
    child.kill('SIGKILL')
    return exited
  }
  const said = () => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${errors}`)
    return last
  }
  return { child, node, said, end }
}

/** Without what this process itself was started with: Node.js, its allocator and the QUIC runtime at their defaults. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(MESH|OTEL|NODE|DEBUG|MALLOC|TOKIO|UV|TRACEMESH)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}
