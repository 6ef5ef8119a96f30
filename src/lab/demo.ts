import { connect } from 'node:net'
import { styleText } from 'node:util'
import { DemoNode } from './demo-node.ts'
import { freeUdpPort } from './free-port.ts'

const receiver = { host: '127.0.0.1', port: 4317 }
/** One seed comes this much later than those that look for it, so that there is a retry to be seen. */
const lateMs = 20_000

/** What is worth a line: what happens to somebody, not what happens every few seconds. */
const told: Readonly<Record<string, 'green' | 'yellow' | 'red' | 'cyan' | 'gray'>> = {
  listening: 'gray',
  'mesh.seed.dial': 'gray',
  'mesh.seed.retry': 'yellow',
  'mesh.seed.connected': 'green',
  'mesh.seed.giveup': 'red',
  'mesh.seed.rearmed': 'yellow',
  'mesh.hello.received': 'cyan',
  'mesh.connection.superseded': 'yellow',
  'mesh.member.joined': 'green',
  'mesh.member.left': 'yellow',
  'mesh.member.expired': 'red',
  'mesh.goodbye.received': 'gray',
  'mesh.connection.closed': 'gray',
  'mesh.node.stopped': 'gray',
}

/** Two seeds and four nodes on this machine, and in the terminal what they tell, as it happens. */
export async function startDemo(): Promise<{ stop(cause: string): Promise<void> }> {
  const otlp = (await answers(receiver)) ? `http://${receiver.host}:${receiver.port}` : 'off'
  const ports = [await freeUdpPort(), await freeUdpPort()]
  const seeds = ports.map((port) => `/ip4/127.0.0.1/udp/${port}/quic-v1`)
  const [first = '', late = ''] = seeds
  print(`Two seeds and four nodes; seed-2 comes ${lateMs / 1000} s late. Ctrl-C stops them.`)
  print(
    otlp === 'off'
      ? `No trace receiver at ${receiver.host}:${receiver.port}: spans are shown here only.`
      : `Spans go to ${otlp}.`,
  )
  const line = (name: string, entry: Readonly<Record<string, unknown>>) => show(name, entry)
  const node = (name: string, role: string, listen: string) =>
    new DemoNode({ name, role, listen, seeds: seeds.filter((seed) => seed !== listen), otlp, line })
  const anywhere = '/ip4/127.0.0.1/udp/0/quic-v1'
  const nodes = [node('seed-1', 'seed', first)]
  nodes.push(...['gateway-1', 'broker-1', 'compute-1', 'compute-2'].map((name) => node(name, roleOf(name), anywhere)))
  const timer = setTimeout(() => nodes.push(node('seed-2', 'seed', late)), lateMs)
  return {
    stop: async (cause) => {
      clearTimeout(timer)
      print(`${cause}: stopping`)
      await Promise.all(nodes.map((one) => one.stop()))
    },
  }
}

function roleOf(name: string): string {
  return name.replace(/-\d+$/, '')
}

function answers(address: { host: string; port: number }): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ ...address, timeout: 300 })
  socket
    .once('connect', () => resolve(true))
    .once('error', () => resolve(false))
    .once('timeout', () => resolve(false))
  return promise.finally(() => socket.destroy())
}

function show(name: string, entry: Readonly<Record<string, unknown>>): void {
  const span = String(entry['msg'])
  const colour = told[span]
  const troubled = entry['level'] === 'error' || entry['level'] === 'warn'
  if (colour === undefined && !troubled) return
  const time = String(entry['time'] ?? '').slice(11, 23)
  const trace = entry['trace_id'] === undefined ? '' : ` trace ${String(entry['trace_id']).slice(0, 8)}`
  const text = `${span.padEnd(26)} ${details(entry)}${trace}`
  print(`${time} ${name.padEnd(10)} ${colour === undefined ? text : styleText(colour, text)}`)
}

const shown = [
  'mesh.peer.name',
  'mesh.seed.address',
  'mesh.seed.attempt',
  'mesh.seed.delay_ms',
  'mesh.dial.stage',
  'mesh.close.reason',
  'mesh.member.silence_ms',
  'mesh.link.rule',
  'err',
] as const

function details(entry: Readonly<Record<string, unknown>>): string {
  return shown
    .filter((key) => entry[key] !== undefined && entry[key] !== '')
    .map((key) => `${key.replace(/^mesh\.(\w+\.)?/, '')}=${String(entry[key])}`)
    .join(' ')
}

/** Colours are left out by `styleText` when standard output is no terminal, or NO_COLOR is set. */
function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
