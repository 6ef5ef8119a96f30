import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { createLibp2p } from 'libp2p'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { loopbackSettings, startApp } from '../../testing/suite/mesh-app.ts'
import { decodeMessage, encodeMessage, topicName } from '../index.ts'

leakCheck()

const topic = topicName('mesh-a', 'news')
const text = new TextEncoder().encode('hello')
/** A guest's payload may begin like a header by chance. */
const lookalike = Uint8Array.of(...encodeMessage({ body: text }).subarray(0, 4), 0xff)

test('a plain js-libp2p guest and a member read each other’s messages', async () => {
  await using member = await startApp()
  const guest = await createLibp2p({
    ...(await loopbackSettings()),
    start: true,
    services: { identify: identify(), pubsub: gossipsub() },
  })
  try {
    const atGuest: Uint8Array[] = []
    guest.services.pubsub.addEventListener('message', ({ detail }) => atGuest.push(Uint8Array.from(detail.data)))
    guest.services.pubsub.subscribe(topic)
    const { mesh } = member
    const read: Uint8Array[] = []
    const raw: Uint8Array[] = []
    mesh.subscribe('news', ({ data }) => read.push(Uint8Array.from(data)))
    mesh.subscribe('news', ({ data }) => raw.push(Uint8Array.from(data)), { raw: true })
    await guest.dial(member.libp2p.getMultiaddrs())
    const haveSubscribers = () =>
      [guest.services.pubsub, member.pubsub].every((pubsub) => pubsub.getSubscribers(topic).length > 0)
    await until(haveSubscribers, 30_000, 'subscriptions')

    await mesh.publish('news', text)
    await until(() => atGuest.length === 1, 30_000, 'the message with a header')
    await mesh.publish('news', text, { raw: true })
    await until(() => atGuest.length === 2, 30_000, 'the raw message')
    const [withHeader, alone] = atGuest
    assert.notDeepEqual(withHeader, text)
    assert.deepEqual(Uint8Array.from(decodeMessage(withHeader ?? text).body), text)
    assert.deepEqual(alone, text)

    await guest.services.pubsub.publish(topic, text)
    await until(() => raw.length === 1, 30_000, 'what the guest published')
    await guest.services.pubsub.publish(topic, lookalike)
    await until(() => raw.length === 2, 30_000, 'what begins like a header')
    assert.deepEqual([raw, read], [[text, lookalike], [text]])
  } finally {
    await guest.stop()
  }
})
