import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../../processes/waiting.ts'
import { leakCheck } from '../leak-check.ts'
import { skipWithout } from '../requirement.ts'
import { findGuest, languages } from './build.ts'
import { type Guest, jsGuest, startGuest } from './guest.ts'

leakCheck()

const limitMs = 15_000
const topic = 'news'
const quic = '/ip4/127.0.0.1/udp/0/quic-v1'

test('a js guest: follows the interface of guests', (t) => talkToJs(t, jsGuest()))

for (const language of languages) {
  test(`a ${language} guest: follows the interface of guests, and has the message ids of js`, async (t) => {
    const guest = await findGuest(language)
    if ('missing' in guest) return skipWithout(t, `${language} guest`, guest.missing)
    await talkToJs(t, [guest.path])
  })
}

async function talkToJs(t: TestContext, command: readonly string[]): Promise<void> {
  const listener = await startGuest(jsGuest(), { listen: [quic], topics: [topic] })
  t.after(() => listener.leave())
  const address = `${listener.addresses[0]}/p2p/${listener.peer}`
  const options = { seed: '07'.repeat(32), topics: [topic], dial: [address] }
  const guest = await startGuest(command, options)
  t.after(() => guest.leave())
  assert.equal(guest.peer, '12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7')
  await hear(guest, listener)
  await hear(listener, guest)
  await until(async () => (await guest.worstScores())[listener.peer] === 0, limitMs, 'it scores the other with 0')
  guest.disconnect(listener.peer)
  await until(() => !guest.isConnected(listener.peer) && !listener.isConnected(guest.peer), limitMs, 'both disconnect')
  guest.dial(address)
  await until(() => guest.isConnected(listener.peer) && listener.isConnected(guest.peer), limitMs, 'both connect again')
}

/** Publishes until the other one has received a message with the id that it has at its publisher. */
async function hear(from: Guest, to: Guest): Promise<void> {
  const arrived = () => {
    from.publish(`message ${from.published.length}`)
    return from.published.some((own) => to.messages.some(({ id, text }) => id === own.id && text === own.text))
  }
  await until(arrived, limitMs, 'a message with the id of its publisher arrives')
}
