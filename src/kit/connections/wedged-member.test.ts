import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type App, withLinkedApps } from '../../testing/suite/mesh-app.ts'

leakCheck()

const data = Uint8Array.of(1)

/** From now on no stream opens on its connections, as over QUIC to a peer that grants none; the open ones go on. */
function wedge({ libp2p }: App): void {
  for (const connection of libp2p.getConnections())
    Object.assign(connection, { newStream: () => new Promise(() => {}) })
}

test('a member on whose connection no stream opens any more: a request finds it, and the node aborts the connection', () =>
  withLinkedApps([{ closes: 'all' }, { closes: 'all' }], async (one, other) => {
    other.mesh.respond('echo', ({ data }) => data)
    assert.deepEqual(Uint8Array.from(await one.mesh.request(other.mesh.peer, 'echo', data)), data)
    wedge(one)
    const [id] = one.libp2p.getConnections().map((connection) => connection.id)
    const rejected = assert.rejects(one.mesh.request(other.mesh.peer, 'echo', data))
    await until(() => one.spansNamed('mesh.connection.wedged').length > 0, 30_000, 'the span')
    const [wedged] = one.spansNamed('mesh.connection.wedged')
    assert.equal(wedged?.attributes['mesh.connection.id'], id)
    assert.equal(wedged?.attributes['mesh.wedge.protocol'], '/tracemesh/request/1.0.0')
    assert.deepEqual(
      [wedged?.attributes['mesh.connection.kind'], wedged?.attributes['mesh.wedge.aborts']],
      ['member', true],
    )
    await until(() => one.libp2p.getConnections().every((connection) => connection.id !== id), 30_000, 'the abort')
    await rejected
    assert.equal(other.spansNamed('mesh.connection.wedged').length, 0)
  }))
