import type { LabNode } from './lab-node.ts'
import { neighbourTarget, type PlannedNode } from './plan.ts'

/** Most links that a node can be told to want. */
const maxNeighbours = 64

/** What every node of the lab listens to, so that there is something to be said. */
export const labTopic = 'lab'

/** Where a node of the lab listens, at every start of it. */
export function quicAddress(port: number): string {
  return `/ip4/127.0.0.1/udp/${port}/quic-v1`
}

/** Command line of a node among these, but for its identity. */
export function nodeArgs({ plan, port }: { plan: PlannedNode; port: number }, all: readonly LabNode[], otlp: string) {
  const [mesh = '', to] = plan.meshes
  const inMesh = (one: string) => all.filter((node) => node.plan.meshes.includes(one))
  const seeds = plan.meshes.flatMap((one) => inMesh(one).filter((node) => node.plan.role === 'seed'))
  const neighbours = neighbourTarget(plan.meshes.map((one) => inMesh(one).length))
  return [
    ...['node', '--name', plan.name, '--role', plan.role, '--mesh', mesh],
    ...(to === undefined ? [] : ['--bridge-to', to]),
    ...['--listen', quicAddress(port), '--admin', '127.0.0.1:0'],
    ...seeds.filter((seed) => seed.port !== port).flatMap((seed) => ['--seed', quicAddress(seed.port)]),
    ...['--neighbours', String(Math.min(maxNeighbours, neighbours)), '--otlp', otlp],
    ...['--topic', labTopic],
    // Everything that is told, sweeps and messages too, is counted from the log.
    ...['--log-level', 'trace'],
  ]
}
