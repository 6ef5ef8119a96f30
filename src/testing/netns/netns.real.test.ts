import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { startCluster, until } from '../cluster/cluster.ts'
import { isAlive } from '../cluster/process-tree.ts'
import { leakCheck } from '../leak-check.ts'
import { isOnPath, skipWithout } from '../requirement.ts'
import { env } from './commands.ts'
import { networkImpossible, startNetwork } from './network.ts'

leakCheck()

const reason = networkImpossible()
const publicAddresses = (n: number) => [`45.79.10.${n}/24`]
const listen = ['/ip4/0.0.0.0/udp/4001/quic-v1', '/ip4/0.0.0.0/tcp/4001']
const linkList = () => execFileSync('ip', ['-o', 'link'], { env, encoding: 'utf8' })
const routes = () => execFileSync('ip', ['route', 'get', '45.79.10.1'], { env, encoding: 'utf8' })

/** A test on networks of namespaces. */
function networkTest(name: string, run: () => Promise<void>): void {
  test(name, async (t) => {
    if (reason === undefined) return run()
    assert.match(reason, /^network namespaces .+$/)
    const missing = (['ip', 'nft'] as const).find((program) => !isOnPath(program, env))
    skipWithout(t, missing ?? 'network namespaces', reason)
  })
}

networkTest('two hosts with public addresses: a node reaches its seed, this machine does not change', async () => {
  const before = [linkList(), routes()]
  await using network = await startNetwork()
  await using cluster = await startCluster({ env: { OTEL_BSP_SCHEDULE_DELAY: '200' } })
  const lan = await network.lan('public')
  const [one, two] = await Promise.all([network.host('one'), network.host('two')])
  await one.attach({ interface: 'eth0', lan, addresses: publicAddresses(1) })
  await two.attach({ interface: 'eth0', lan, addresses: publicAddresses(2) })
  assert.deepEqual([linkList(), routes()], before)
  const seed = await cluster.node('seed', { role: 'seed', host: one, listen })
  const node = await cluster.node('node', { host: two, listen, seeds: ['/ip4/45.79.10.1/udp/4001/quic-v1'] })
  await until(async () => (await node.api<{ ready: boolean }>('/readyz')).ready, 30_000, 'linked with the seed')
  const isSeedConnected = ({ name, attributes }: (typeof cluster.receiver.spans)[number]) =>
    name === 'mesh.seed.connected' && attributes['mesh.peer.id'] === seed.peer
  await cluster.receiver.waitFor(isSeedConnected, 30_000)
})

networkTest('a dropped protocol, a renumbered host: the change shows at once', async () => {
  await using network = await startNetwork()
  const lan = await network.lan('public')
  const [one, two] = await Promise.all([network.host('one'), network.host('two')])
  await one.attach({ interface: 'eth0', lan, addresses: [...publicAddresses(1), '2600:3c00::1/64'] })
  await two.addContainerBridges(20)
  await two.attach({ interface: 'eth0', lan, addresses: publicAddresses(2) })
  const addressesOf = async () => (await two.run(['ip', '-o', '-4', 'address'])).trim().split('\n').length
  assert.equal(await addressesOf(), 22)
  assert.match(await two.run(['ls', '/sys/class/net']), /br-19\n(?:.+\n)*eth0\n/)
  assert.equal(await two.reaches('udp', '45.79.10.1'), true)
  await two.drop('eth0', 'udp')
  assert.deepEqual([await two.cannotReach('udp', '45.79.10.1'), await two.reaches('tcp', '45.79.10.1')], [true, true])
  await two.drop('eth0')
  await two.addAddress('eth0', '2600:3c00::2/64')
  assert.equal(await two.reaches('udp', '2600:3c00::1'), true)
  await two.drop('eth0', 'ipv6')
  assert.deepEqual([await two.cannotReach('udp', '2600:3c00::1'), await two.reaches('udp', '45.79.10.1')], [true, true])
  await one.renumber('eth0', '45.79.10.1/24', '45.79.10.9/24')
  assert.deepEqual([await two.cannotReach('udp', '45.79.10.1'), await two.reaches('udp', '45.79.10.9')], [true, true])
})

networkTest('a host behind a NAT router: reaches outside, cannot be reached', async () => {
  await using network = await startNetwork()
  const [home, world] = [await network.lan('home'), await network.lan('world')]
  const [inner, outer] = await Promise.all([network.host('inner'), network.host('outer')])
  await network.natRouter('router', {
    inside: { lan: home, addresses: ['192.168.1.1/24', 'fd88::1/64'] },
    outside: { lan: world, addresses: [...publicAddresses(254), '2600:3c00::fe/64'] },
  })
  const gateways = ['192.168.1.1', 'fd88::1']
  await inner.attach({ interface: 'eth0', lan: home, addresses: ['192.168.1.2/24', 'fd88::2/64'], gateways })
  await outer.attach({ interface: 'eth0', lan: world, addresses: [...publicAddresses(1), '2600:3c00::1/64'] })
  for (const address of ['45.79.10.1', '2600:3c00::1']) assert.equal(await inner.reaches('udp', address), true)
  await outer.run(['ip', 'route', 'add', '192.168.1.0/24', 'via', '45.79.10.254'])
  assert.equal(await outer.cannotReach('udp', '192.168.1.2'), true)
})

networkTest('SIGKILL to the process that created a network: its namespaces end', async () => {
  const command = nodeCommand(fileURLToPath(new URL('./lone-network.ts', import.meta.url)))
  const started = Promise.withResolvers<unknown>()
  const parent = new Subprocess({ name: 'the parent', command, ipc: true, onMessage: started.resolve })
  const pid = Number(await parent.ready(started.promise, 60_000))
  assert.equal(isAlive(pid), true)
  parent.signal('SIGKILL')
  await until(() => !isAlive(pid), 30_000, 'the namespace ends')
})
