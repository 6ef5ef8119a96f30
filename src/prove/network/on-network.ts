import { type Cluster, startCluster } from '../../testing/cluster.ts'
import { type Network, networkImpossible, startNetwork } from '../../testing/netns/network.ts'
import { notRun } from '../../testing/not-run.ts'
import type { ProofResult } from '../proof.ts'

const ways = ['udp/4001/quic-v1', 'tcp/4001']

/** Where every node of these proofs listens: at a known port of each address that its host has, or gets. */
export const listen = ['ip4/0.0.0.0', 'ip6/::'].flatMap((host) => ways.map((way) => `/${host}/${way}`))

/** Multiaddrs of a node that listens so, at these IP addresses. */
export function addressesAt(...hosts: readonly string[]): string[] {
  return hosts.flatMap((host) => ways.map((way) => `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/${way}`))
}

/** Runs a proof on a network of its own; where there can be none, it shows nothing and says why. */
export async function onNetwork(
  name: string,
  run: (network: Network, cluster: Cluster) => Promise<ProofResult>,
): Promise<ProofResult> {
  const impossible = networkImpossible()
  if (impossible !== undefined) {
    notRun(name, impossible)
    const check = {
      what: 'hosts on a network of their own',
      want: 'possible',
      got: impossible,
      holds: 'not shown',
    } as const
    return { figures: {}, checks: [check] }
  }
  await using network = await startNetwork()
  await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
  return await run(network, cluster)
}
