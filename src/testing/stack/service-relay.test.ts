import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { leakCheck } from '../leak-check.ts'
import { serviceRelay } from './service-relay.ts'

leakCheck()

test('connections to a Service: each pod in turn, without the one that is down', async () => {
  const pods = ['127.0.5.1', '127.0.5.2', '127.0.5.3']
  const server = createServer((socket) => socket.end(String(socket.localAddress))).listen(0, '127.0.5.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const second = createServer((socket) => socket.end(String(socket.localAddress))).listen(port, '127.0.5.3')
  await once(second, 'listening')
  try {
    await using _ = await serviceRelay({ address: '127.0.5.9', port, pods })
    const answers: string[] = []
    for (let index = 0; index < 6; index++) {
      let answer = ''
      const socket = connect(port, '127.0.5.9').on('data', (data) => {
        answer += String(data)
      })
      await once(socket, 'close')
      answers.push(answer)
    }
    assert.deepEqual(new Set(answers), new Set(['127.0.5.1', '127.0.5.3']))
    second.close()
    server.close()
    const refused = connect(port, '127.0.5.9').on('data', () => assert.fail('no pod is there'))
    await once(refused, 'close')
  } finally {
    second.close()
    server.close()
  }
})
