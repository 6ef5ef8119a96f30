import assert from 'node:assert/strict'
import { createSocket, Socket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { freeUdpPorts } from './free-ports.ts'

leakCheck()

test('a port in use is skipped, and all ports are different', async (t) => {
  const used = createSocket('udp4').bind(0, '127.0.0.1')
  t.after(() => used.close())
  await once(used, 'listening')
  const [first = 0] = await freeUdpPorts(1)
  const draws = [used.address().port, first]
  assert.deepEqual(await freeUdpPorts(1, () => draws.shift() ?? 0), [first])
  assert.equal(new Set(await freeUdpPorts(20)).size, 20)
})

test('an error other than EADDRINUSE, and a range without free ports: rejected', async (t) => {
  const broken = t.mock.method(Socket.prototype, 'bind', function fail(this: Socket) {
    setImmediate(() => this.emit('error', Object.assign(new Error('too many open files'), { code: 'EMFILE' })))
    return this
  })
  await assert.rejects(freeUdpPorts(1), { code: 'EMFILE' })
  broken.mock.restore()
  const used = createSocket('udp4').bind(0, '127.0.0.1')
  t.after(() => used.close())
  await once(used, 'listening')
  await assert.rejects(
    freeUdpPorts(1, () => used.address().port),
    /tried 200 UDP ports, 1 more needed/,
  )
})
