import type { LabNode } from './lab-node.ts'
import { neighbourTarget, type PlannedNode } from './plan.ts'

/** The maximum of `--neighbours`. */
const maxNeighbours = 64

/** Topic that every node of the lab subscribes to. */
export const labTopic = 'lab'

/** Listen address of a node, the same at every start. */
export function quicAddress(port: number): string {
  return `/ip4/127.0.0.1/udp/${port}/quic-v1`
}

/** Command line of a node, without its identity. */
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
    // The lab counts all spans from the log, including sweeps and messages.
    ...['--log-level', 'trace'],
  ]
}
