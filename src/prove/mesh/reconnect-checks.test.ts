import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { type Reconnects, reconnectChecks } from './reconnect-checks.ts'

leakCheck()

const peer = 'peer-1'

function span(name: string, startMs: number, attributes: ReceivedSpan['attributes']): ReceivedSpan {
  const ids = { traceId: '', spanId: '', parentSpanId: '', links: [] }
  return { name, ...ids, attributes, resource: {}, startMs, endMs: startMs, status: 'unset' }
}

const opened = (id: string, at: number) =>
  span('mesh.connection.opened', at, { 'mesh.connection.id': id, 'mesh.peer.id': peer })
const closed = (id: string, at: number) =>
  span('mesh.connection.closed', at, {
    'mesh.connection.id': id,
    'mesh.peer.id': peer,
    'mesh.close.reason': 'superseded',
  })

function audit(changes: ReceivedSpan['attributes'] = {}): ReceivedSpan {
  const zero = ['suspects', 'peers', 'connections', 'links', 'guests', 'unsettled', 'draining', 'closing', 'streams']
  const gossip = ['gossip.ghosts', 'gossip.streams_in', 'gossip.streams_out']
  const empty = Object.fromEntries([...zero, ...gossip].map((name) => [`mesh.audit.${name}`, 0]))
  const totals = { 'mesh.audit.opened_total': 2, 'mesh.audit.closed_total': 2 }
  return span('mesh.audit', 5_000, { ...empty, ...totals, ...changes })
}

const first = [opened('a', 1_000), closed('a', 2_500)]
const second = [opened('b', 2_000), closed('b', 3_000)]
const sound: Reconnects = {
  lives: [
    [1_010, 2_000, false],
    [2_010, 3_000, false],
  ],
  heardMs: [100],
  peer,
  heard: new Map([[0, peer]]),
  spans: [...first, ...second, audit()],
}

const failing = (changes: Partial<Reconnects>) =>
  reconnectChecks({ ...sound, ...changes }).flatMap(({ what, holds }) => (holds === true ? [] : [what]))

test('two connections, the first for half a second beside the second: every check holds', () => {
  assert.deepEqual(failing({}), [])
})

test('each fault: a check that fails', () => {
  const broken = span('mesh.leak.suspected', 5_000, { 'mesh.invariant': 'pair' })
  const faults: readonly (readonly [RegExp, Partial<Reconnects>])[] = [
    [/closed connections/, { spans: [...first, opened('b', 2_000), audit()] }],
    [/spans of closed/, { spans: [...first, ...second, closed('a', 2_600), audit()] }],
    [/different ids/, { spans: [...first, ...second, opened('a', 2_900), audit()] }],
    [
      /ended before/,
      {
        lives: [
          [1_010, 2_000, true],
          [2_010, 3_000, false],
        ],
      },
    ],
    [/open at once/, { spans: [opened('a', 1_000), closed('a', 3_001), ...second, audit()] }],
    [/messages both ways/, { heard: new Map() }],
    [/messages both ways/, { heard: new Map([[0, 'another']]) }],
    [/slowest check/, { heardMs: [15_001] }],
    [/opened less closed/, { spans: [...first, ...second, audit({ 'mesh.audit.closed_total': 1 })] }],
    [/without a suspect/, { spans: [...first, ...second, audit({ 'mesh.audit.suspects': 1 })] }],
    [/opened less closed/, { spans: [...first, ...second] }],
    [/broken invariants/, { spans: [...first, ...second, audit(), broken] }],
    [/gossip.ghosts/, { spans: [...first, ...second, audit({ 'mesh.audit.gossip.ghosts': 1 })] }],
  ]
  for (const [check, changes] of faults)
    assert.ok(
      failing(changes).some((what) => check.test(what)),
      `${check}: ${failing(changes).join('; ')}`,
    )
})
