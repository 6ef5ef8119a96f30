import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Topology } from '../kit/views.ts'
import { leakCheck } from '../testing/leak-check.ts'
import type { LabNode } from './lab-node.ts'
import { recordLines } from './lines.ts'
import { newTally } from './node-log.ts'
import { missingSpans, type RecordInput, recordOf, snapshotOf } from './record.ts'
import { viewLinks, viewNodes } from './view.ts'

leakCheck()

test('a complete mesh: no problems', () => {
  const record = recordOf(input(snapshotOf([node('a', ['b']), node('b', ['a'])], 90_000)))
  assert.deepEqual([record.ok, record.problems, record.links], [true, [], { pairs: 1, doubled: [] }])
  assert.deepEqual([record.nodes, record.lost, record.perNode[0]?.members], [2, 0, 1])
  assert.match(
    recordLines(record).join('\n'),
    /1 pairs linked, none with more than one link; 12 spans received, 0 lost/,
  )
})

test('a lab that ended before its nodes knew each other: not ok, though nothing failed, and its text says so', () => {
  const record = recordOf({ ...input(snapshotOf([], 2_000)), bootMs: undefined })
  assert.deepEqual([record.ok, record.bootSeconds, record.problems], [false, null, []])
  assert.match(recordLines(record).at(-1) ?? '', /^no verdict: /)
  assert.ok(recordLines(record, 80).every((line) => line.length <= 80))
})

test('a node that others do not know is a problem, unless it has just started or has exited', () => {
  const nodes = [node('a', ['b']), node('b', ['a']), node('c', []), node('d', [], { upMs: 3_000 })]
  nodes.push(node('e', [], { state: 'killed' }), node('f', [], { mesh: 'mesh-b' }))
  const { problems, ok } = recordOf(input(snapshotOf(nodes, 90_000)))
  assert.deepEqual(problems, ['a does not know c', 'b does not know c', 'c does not know a b'])
  assert.equal(ok, false)
})

test('a pair with two links: a problem, unless one link is draining or has less than 15 s to settle', () => {
  const nodes = [node('a', ['b', 'b']), node('b', ['a'])]
  const problems = () => recordOf(input(snapshotOf(nodes, 90_000))).problems
  assert.deepEqual(problems(), ['a b have more than one link'])
  const link = nodes[0]?.topology?.peers[0]?.links[1] as { state: string; ageMs: number }
  for (const [state, ageMs, expected] of [
    ['draining', 5_000, []],
    ['greeting', 5_000, []],
    ['greeting', 30_000, ['a b have more than one link']],
  ] as const) {
    Object.assign(link, { state, ageMs })
    assert.deepEqual(problems(), expected, `${state} for ${ageMs} ms`)
  }
})

test('lost spans: gaps in the sequence of a process, and losses that it logs', () => {
  const sender = { node: 'a', instance: '1', missing: 2 }
  const stats = { evicted: 4, refused: 0, names: {}, senders: [sender, { ...sender, missing: 0 }] }
  assert.equal(missingSpans(stats), 2)
  const record = recordOf({ ...input(snapshotOf([], 90_000)), stats, lostAtExit: 3 })
  assert.deepEqual([record.lost, record.evicted, record.problems], [5, 4, ['5 spans were lost']])
  assert.equal(recordOf({ ...input(snapshotOf([], 90_000)), stats: undefined }).lost, null)
  const refused = recordOf({ ...input(snapshotOf([], 90_000)), stats: { ...stats, senders: [], refused: 2 } })
  assert.deepEqual(refused.problems, ['the trace store refused 2 spans'])
})

test('spans lost at exit: a problem with an external receiver, too', () => {
  const record = recordOf({ ...input(snapshotOf([], 90_000)), stats: undefined, lostAtExit: 7 })
  assert.deepEqual([record.lost, record.ok, record.problems], [null, false, ['7 spans were lost']])
})

test('nodes that hang, start late or do not answer: one finding each', () => {
  const mute = { ...node('mute', []), topology: undefined } as LabNode
  const startedAt = performance.now() - 30_000
  const nodes = [
    mute,
    node('dazed', [], { state: 'unreachable' }),
    { ...node('slow', [], { state: 'starting' }), startedAt } as LabNode,
    { ...node('fast', [], { state: 'starting' }), startedAt: performance.now() } as LabNode,
    node('overdue', [], { state: 'waiting' }),
  ]
  assert.deepEqual(snapshotOf(nodes, 90_000).findings, [
    'mute did not answer the last poll',
    'dazed is running and does not answer',
    'slow has been starting for 30 s',
    'overdue should have started 90 s ago',
  ])
  assert.deepEqual(snapshotOf([node('due', [], { state: 'waiting' })], 5_000).findings, [])
})

test('a dead member that a node still has is a finding, unless the node has just resumed', () => {
  const observer = node('a', ['b'])
  const dead = node('b', [], { state: 'killed' })
  const member = observer.topology?.members[0] as { silentMs: number }
  assert.deepEqual(snapshotOf([observer, dead], 90_000).findings, [])
  member.silentMs = 50_000
  assert.deepEqual(snapshotOf([observer, dead], 90_000).findings, ['a still has member b, silent for 50 s'])
  const woken = { ...observer, steadySince: performance.now() - 20_000 } as LabNode
  assert.deepEqual(snapshotOf([woken, dead], 90_000).findings, [])
})

test('the view: one link for its two ends, and a node for a guest', () => {
  const nodes = [node('a', ['b']), node('b', ['a'])]
  const links = viewLinks(nodes.flatMap(({ topology }) => topology ?? []))
  const seen = links.map(({ a, b, ends, kind }) => [a, b, ends, kind])
  assert.deepEqual(seen, [['peer-a', 'peer-b', 2, 'member']])
  const [first] = nodes
  const visited = {
    ...(first?.topology as Topology),
    peers: [...(first?.topology?.peers ?? []), { peer: 'visitor', name: '', kind: 'guest', links: [] }],
  } as Topology
  const shown = viewNodes([{ ...first, topology: visited } as LabNode])
  assert.deepEqual(
    shown.map(({ id, state, controllable }) => [id, state, controllable]),
    [
      ['peer-a', 'running', true],
      ['visitor', 'guest', false],
    ],
  )
})

function input(snapshot: RecordInput['snapshot']): RecordInput {
  const stats = { evicted: 0, refused: 0, names: { 'mesh.window': 12 }, senders: [] }
  return { seed: 1, meshes: 1, elapsedMs: 90_000, bootMs: 5_000, snapshot, stats, lostAtExit: 0, problems: [] }
}

/** A node with links to these members; a name that occurs twice gets two links. */
function node(
  name: string,
  linked: readonly string[],
  { upMs = 60_000, state = 'running', mesh = 'mesh-a' }: { upMs?: number; state?: string; mesh?: string } = {},
): LabNode {
  const peers = [...new Set(linked)].map((other) => ({
    peer: `peer-${other}`,
    name: other,
    kind: 'member',
    links: linked
      .filter((one) => one === other)
      .map((_one, index) => ({
        id: `${[name, other].sort().join('')}${index}`,
        transport: 'quic',
        trace: 't',
        state: 'settled',
        ageMs: 5_000,
      })),
  }))
  const members = peers.map(({ peer }) => ({ peer, topics: [], silentMs: 5 }))
  return {
    name,
    plan: { name, role: 'compute', meshes: [mesh], startsAtMs: 0 },
    state,
    peer: `peer-${name}`,
    addresses: [],
    tally: newTally(),
    topology: { self: `peer-${name}`, peers, members, topics: {} },
    listeningAt: performance.now() - upMs,
    steadySince: performance.now() - upMs,
    adminUrl: '',
  } as unknown as LabNode
}
