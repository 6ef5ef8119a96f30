import { loadavg } from 'node:os'
import { startCluster, until } from '../../testing/cluster.ts'
import { startDnsServer } from '../../testing/dns-server.ts'
import type { ReceivedSpan } from '../../testing/otlp-receiver.ts'
import { atLeast, atMost, equals, type Proof } from '../proof.ts'

const seedName = 'seed.test'
const hosts = { before: '127.0.0.2', after: '127.0.0.3' }
/** The wait under way when the name changes is one of the first three; dialling and the spans' way here come on top. */
const foundWithinMs = 4_000 + 3_000
const stepLimitMs = 30_000

export const proof: Proof = {
  name: 'dns-seed',
  about: 'a seed given by DNS name whose address changes is found again, over QUIC',
  quick: false,
  seconds: 25,
  async run({ progress, signal }) {
    const dns = await startDnsServer()
    try {
      await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
      const { receiver } = cluster
      const [, , , , port] = cluster.address('seed').split('/')
      const at = (host: string) => [`/ip4/${host}/udp/${port}/quic-v1`]
      const told = (name: string, holds: (span: ReceivedSpan) => boolean = () => true) =>
        receiver.spans.filter((span) => {
          return span.name === name && span.resource['mesh.node.name'] === 'node' && holds(span)
        })
      const connected = (peer: string) =>
        told('mesh.seed.connected', ({ attributes }) => attributes['mesh.peer.id'] === peer)
      const untilEmitted = (what: string, holds: () => boolean) =>
        until(
          () => {
            signal.throwIfAborted()
            return holds()
          },
          stepLimitMs,
          what,
        )

      dns.set(seedName, [hosts.before])
      const old = await cluster.node('seed', { role: 'seed', listen: at(hosts.before) })
      const address = `/dns4/${seedName}/udp/${port}/quic-v1`
      await cluster.node('node', { seeds: [address], env: { MESH_DNS_SERVERS: dns.address } })
      await untilEmitted('the seed is found by its name', () => connected(old.peer).length > 0)

      progress(`the seed at ${hosts.before} is killed; another one listens at ${hosts.after}`)
      old.kill()
      await old.exited
      const fresh = await cluster.node('other seed', {
        role: 'seed',
        listen: at(hosts.after),
        env: { MESH_NAME: 'seed-2' },
      })
      const tried = (host: string) => (span: ReceivedSpan) =>
        String(span.attributes['mesh.seed.addresses']).includes(host)
      await untilEmitted('a retry at the old address', () => told('mesh.seed.retry', tried(hosts.before)).length > 0)

      progress(`the name now means ${hosts.after}`)
      const askedBefore = dns.queries.length
      const changedAt = Date.now()
      dns.set(seedName, [hosts.after])
      await untilEmitted('the seed is found at its new address', () => connected(fresh.peer).length > 0)
      const found = connected(fresh.peer)[0]
      const opened = told('mesh.connection.opened', (span) => span.attributes['mesh.peer.id'] === fresh.peer)[0]
      const retries = told('mesh.seed.retry', ({ traceId }) => traceId === found?.traceId)
      return {
        figures: {
          asked: dns.queries,
          'found after, ms': (found?.endMs ?? Number.NaN) - changedAt,
          retries: retries.map(({ attributes }) => attributes),
          load: loadavg(),
        },
        checks: [
          atMost(
            'from the change of the name to mesh.seed.connected',
            foundWithinMs,
            (found?.endMs ?? Number.NaN) - changedAt,
            'ms',
          ),
          equals('transport to the new address', 'quic', String(opened?.attributes['mesh.connection.transport'])),
          equals(
            'the new address',
            at(hosts.after)[0] ?? '',
            String(opened?.attributes['mesh.connection.address']).replace(/\/p2p\/.*/, ''),
          ),
          equals('the seed as configured', address, String(found?.attributes['mesh.seed.address'])),
          atLeast('failed attempts of the same campaign', 1, retries.length),
          atLeast('the name is asked for again before each attempt', 1, dns.queries.length - askedBefore),
        ],
      }
    } finally {
      await dns.close()
    }
  },
}
