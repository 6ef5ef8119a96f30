// Shared by every program here: its libp2p node, the mesh beside it, and the protocol with the proof
// over standard input and output, one JSON object per line. The proof copies it beside the installed packages.
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

const { WITH_MESH, GROUP = 'group', INDEX = '0', PEERS = '', OTLP = 'off', RATE = '2' } = process.env
/** Addresses of the processes that started before this one. */
export const peers = PEERS.split(',').filter((address) => address !== '')
export const group = GROUP
export const index = Number(INDEX)
/** Units of work each second. */
export const rate = Number(RATE)

const closes = {}
const faults = []
let opened = 0
let stopping = false
for (const event of ['unhandledRejection', 'uncaughtException', 'warning']) {
  process.on(event, (error) => {
    if (faults.length < 20) faults.push(`${event} ${error?.stack ?? error}`.slice(0, 600))
  })
}

const line = (object) => process.stdout.write(`${JSON.stringify(object)}\n`)

/** The mesh service, as an application adds it; none in a process without the mesh. */
async function mesh() {
  if (WITH_MESH !== '1') return {}
  const { tracemesh } = await import('tracemesh')
  return { tracemesh: tracemesh({ mesh: group, name: `${group}-${index}`, seeds: peers, otlp: OTLP }) }
}

/** Options for a libp2p node of an application; `over` are its options beside TCP. */
export async function options({ listen = [], transports = [], services = {}, ...over }) {
  return {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0', ...listen] },
    transports: [tcp(), ...transports],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { ...services, ...(await mesh()) },
    ...over,
  }
}

export async function node(over) {
  return watched(await createLibp2p(await options(over)))
}

/** Counts connections closed before the stop, by the code that closed them. */
export function watched(libp2p) {
  libp2p.addEventListener('connection:open', ({ detail }) => {
    opened++
    for (const method of ['close', 'abort']) {
      const original = detail[method].bind(detail)
      detail[method] = (...args) => {
        detail.closedBy ??= `${method} ${callerOf(new Error().stack ?? '')}`
        return original(...args)
      }
    }
  })
  libp2p.addEventListener('connection:close', ({ detail }) => {
    if (stopping) return
    const by = detail.closedBy ?? 'the other end'
    closes[by] = (closes[by] ?? 0) + 1
  })
  return libp2p
}

function callerOf(stack) {
  const frame = stack
    .split('\n')
    .find((one, at) => at > 1 && !one.includes('node:internal') && !one.includes('harness'))
  return frame?.match(/node_modules\/(.*:\d+)/)?.[1] ?? frame?.trim() ?? 'unknown'
}

/** Calls `work` at the rate, with the number of the call, until the command `rest`. */
let working
export function every(work) {
  let count = 0
  working = setInterval(() => work(count++), 1_000 / rate)
}

/**
 * @param libp2p the node
 * @param report counters of the work so far, as an object of numbers
 * @param commands commands of the program beside `status`, `rest`, `collect` and `stop`
 * @param stop ends the application, its node included
 */
export function serve({ libp2p, report, commands = {}, stop = () => libp2p.stop(), ready = {} }) {
  const answer = {
    status: async () => {
      const topology = libp2p.services.tracemesh?.topology()
      return {
        work: await report(),
        opened,
        closes,
        faults,
        connections: libp2p.getConnections().length,
        limited: libp2p.getConnections().filter(({ limits }) => limits !== undefined).length,
        members: topology?.members.length ?? 0,
        kinds: topology?.peers.map(({ kind }) => kind) ?? [],
        heapMb: process.memoryUsage().heapUsed / 2 ** 20,
      }
    },
    rest: async () => {
      clearInterval(working)
      return {}
    },
    collect: async () => {
      setFlagsFromString('--expose-gc')
      const collectGarbage = runInNewContext('gc')
      for (let round = 0; round < 3; round++) {
        collectGarbage({ type: 'major', execution: 'sync', flavor: 'last-resort' })
        await sleep(500)
      }
      return {}
    },
    stop: async () => {
      stopping = true
      clearInterval(working)
      const began = performance.now()
      await stop()
      input.close()
      process.stdin.destroy()
      return { stopMs: performance.now() - began }
    },
    ...commands,
  }
  const input = createInterface({ input: process.stdin })
  input.on('line', async (text) => {
    const { id, command, ...rest } = JSON.parse(text)
    try {
      line({ id, answer: await answer[command](rest) })
    } catch (error) {
      line({ id, failed: String(error?.stack ?? error) })
    }
  })
  process.stdin.on('end', () => {
    if (!stopping) process.exit(1)
  })
  line({ ready: true, peer: libp2p.peerId.toString(), addresses: libp2p.getMultiaddrs().map(String), ...ready })
}
