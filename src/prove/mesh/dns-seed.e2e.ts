import { startCluster, until } from '../../testing/cluster/cluster.ts'
import { startDnsServer } from '../../testing/cluster/dns-server.ts'
import { endToEnd } from '../end-to-end.ts'
import { spansInTrace, spansNamed } from '../evidence.ts'
import { atLeast, atMost, equals } from '../proof.ts'
import { promptSpans } from './mesh.ts'

const seedName = 'seed.test'
const hosts = { before: '127.0.0.2', after: '127.0.0.3' }
/** The name changes during one of the first three waits, 4 s at most; 3 s more for the dial and the export of spans. */
const foundLimitMs = 4_000 + 3_000
const stepLimitMs = 30_000

export const proof = endToEnd({
  name: 'dns-seed',
  about: 'a node finds a seed again whose DNS name changes its address, over QUIC',
  quick: false,
  seconds: 25,
  async run({ progress, signal }) {
    const dns = await startDnsServer()
    try {
      await using cluster = await startCluster(promptSpans)
      const { receiver } = cluster
      const [, , , , port] = cluster.address('seed').split('/')
      const at = (host: string) => [`/ip4/${host}/udp/${port}/quic-v1`]
      const connected = (peer: string) =>
        spansNamed(receiver.spans, 'mesh.seed.connected', 'node').filter(
          ({ attributes }) => attributes['mesh.peer.id'] === peer,
        )
      const waitFor = (what: string, holds: () => boolean) => until(holds, stepLimitMs, what, signal)

      dns.set(seedName, [hosts.before])
      const oldSeed = await cluster.node('seed', { role: 'seed', listen: at(hosts.before) })
      const address = `/dns4/${seedName}/udp/${port}/quic-v1`
      await cluster.node('node', { seeds: [address], env: { MESH_DNS_SERVERS: dns.address } })
      await waitFor('the seed is found by its name', () => connected(oldSeed.peer).length > 0)

      progress(`the seed at ${hosts.before} is killed; another one listens at ${hosts.after}`)
      oldSeed.kill()
      await oldSeed.exited
      const newSeed = await cluster.node('other seed', {
        role: 'seed',
        listen: at(hosts.after),
        env: { MESH_NAME: 'seed-2' },
      })
      await waitFor('a retry at the old address', () =>
        spansNamed(receiver.spans, 'mesh.seed.retry', 'node').some(({ attributes }) =>
          String(attributes['mesh.seed.addresses']).includes(hosts.before),
        ),
      )

      progress(`the name now resolves to ${hosts.after}`)
      const queriesBefore = dns.queries.length
      const changedAt = Date.now()
      dns.set(seedName, [hosts.after])
      await waitFor('the seed is found at its new address', () => connected(newSeed.peer).length > 0)
      const end = connected(newSeed.peer)[0]
      const connectedMs = (end?.endMs ?? Number.NaN) - changedAt
      const opened = spansNamed(receiver.spans, 'mesh.connection.opened', 'node').find(
        ({ attributes }) => attributes['mesh.peer.id'] === newSeed.peer,
      )
      const retries = spansInTrace(spansNamed(receiver.spans, 'mesh.seed.retry', 'node'), end?.traceId ?? '')
      return {
        figures: {
          asked: dns.queries,
          'connected after, ms': connectedMs,
          retries: retries.map(({ attributes }) => attributes),
        },
        checks: [
          atMost('from the change of the name to mesh.seed.connected', foundLimitMs, connectedMs, 'ms'),
          equals('transport to the new address', 'quic', String(opened?.attributes['mesh.connection.transport'])),
          equals(
            'the new address',
            at(hosts.after)[0] ?? '',
            String(opened?.attributes['mesh.connection.address']).replace(/\/p2p\/.*/, ''),
          ),
          equals('the seed as configured', address, String(end?.attributes['mesh.seed.address'])),
          atLeast('failed attempts of the same campaign', 1, retries.length),
          atLeast('DNS queries after the change', 1, dns.queries.length - queriesBefore),
        ],
      }
    } finally {
      await dns.close()
    }
  },
})
