import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type App, areLinked, loopbackSettings, startApp } from '../../testing/suite/mesh-app.ts'

leakCheck()

/** The grace period is half of it. */
const peerStoreSweepMs = 400

/** A libp2p without the mesh. */
async function startPlain(): Promise<Libp2p & AsyncDisposable> {
  const libp2p = await createLibp2p({ ...(await loopbackSettings()), services: { identify: identify() } })
  await libp2p.start()
  return Object.assign(libp2p, { [Symbol.asyncDispose]: async () => libp2p.stop() })
}

const addressOf = (libp2p: Libp2p) => String(libp2p.getMultiaddrs()[0])

async function hasRecord({ libp2p }: App, of: { peerId: Libp2p['peerId'] }): Promise<boolean> {
  return libp2p.peerStore.has(of.peerId)
}

/** Waits until two more sweeps have passed. */
async function sweepTwice(app: App): Promise<void> {
  const from = app.spansNamed('mesh.peerstore.swept').length
  await until(() => app.spansNamed('mesh.peerstore.swept').length >= from + 3, 20_000, 'sweeps')
}

/** Connects, and waits until this side knows the other one's protocols. */
async function connect(from: Libp2p, to: Libp2p): Promise<void> {
  await from.dial(multiaddr(addressOf(to)))
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    const isIdentified = async () => (await one.peerStore.get(other.peerId)).protocols.length > 0
    await until(isIdentified, 10_000, 'identify')
  }
}

test('an application: the records of a member and of a seed that left are removed, those of its own peers stay', async () => {
  await using seed = await startPlain()
  await using app = await startApp({ seeds: [addressOf(seed)], peerStoreSweepMs })
  await using member = await startApp()
  await using guest = await startPlain()
  await using own = await startPlain()
  await using tagged = await startPlain()
  await until(() => hasRecord(app, seed), 20_000, 'the mesh has dialled the seed')
  await member.dial(app)
  await until(() => areLinked(member, app), 20_000, 'a link')
  await connect(guest, app.libp2p)
  await connect(app.libp2p, own)
  await connect(tagged, app.libp2p)
  await app.libp2p.peerStore.merge(tagged.peerId, { tags: { mine: { value: 1 } } })
  const all = [seed, member.libp2p, guest, own, tagged]
  await sweepTwice(app)
  for (const one of all) assert.ok(await hasRecord(app, one))
  for (const one of all) await one.stop()
  await until(() => app.libp2p.getConnections().length === 0, 20_000, 'all have left')
  await sweepTwice(app)
  const has = await Promise.all(all.map((one) => hasRecord(app, one)))
  assert.deepEqual(has, [false, false, true, true, true])
})

test('`sweep: all` removes the records of all absent peers without a tag, and `off` none', async () => {
  await using app = await startApp({ sweep: 'all', peerStoreSweepMs })
  await using off = await startApp({ sweep: 'off', peerStoreSweepMs })
  await using guest = await startPlain()
  for (const { libp2p } of [app, off]) await connect(guest, libp2p)
  await guest.stop()
  await until(async () => !(await hasRecord(app, guest)), 20_000, 'its record is gone')
  await sweepTwice(app)
  assert.deepEqual([await hasRecord(off, guest), off.spansNamed('mesh.peerstore.swept').length], [true, 0])
})

test('a member whose record was removed: the mesh dials it at the addresses of its digest', async () => {
  await using one = await startApp({ sweep: 'all', peerStoreSweepMs, digestMs: 200, stalenessMs: 3_600_000 })
  await using other = await startApp({ digestMs: 200 })
  await other.dial(one)
  await until(() => areLinked(one, other), 20_000, 'a link')
  await one.libp2p.peerStore.delete(other.libp2p.peerId)
  await one.libp2p.hangUp(other.libp2p.peerId)
  await until(() => areLinked(one, other), 30_000, 'a link again')
})
