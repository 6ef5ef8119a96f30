import { type Cluster, startCluster } from '../../testing/cluster/cluster.ts'
import { type Network, networkImpossible, startNetwork } from '../../testing/netns/network.ts'
import type { ProofResult } from '../proof.ts'

const transports = ['udp/4001/quic-v1', 'tcp/4001']

/** Listen addresses of each node of these proofs: a fixed port at every present and later address of its host. */
export const listen = ['ip4/0.0.0.0', 'ip6/::'].flatMap((host) =>
  transports.map((transport) => `/${host}/${transport}`),
)

/** Multiaddrs of such a node at these IP addresses. */
export function addressesAt(...hosts: readonly string[]): string[] {
  return hosts.flatMap((host) =>
    transports.map((transport) => `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/${transport}`),
  )
}

/** Runs a proof on its own network; without one, the check is not shown, with the reason. */
export async function onNetwork(
  name: string,
  run: (network: Network, cluster: Cluster) => Promise<ProofResult>,
): Promise<ProofResult> {
  const reason = networkImpossible()
  if (reason !== undefined) {
    const check = {
      what: `${name}: hosts on their own network`,
      want: 'possible',
      got: reason,
      holds: 'not shown',
    } as const
    return { figures: {}, checks: [check] }
  }
  await using network = await startNetwork()
  await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
  return await run(network, cluster)
}
