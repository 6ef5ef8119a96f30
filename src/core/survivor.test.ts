import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leakCheck } from '../testing/leak-check.ts'
import { type Link, newLink } from './link.ts'
import { chooseSurvivor } from './survivor.ts'

leakCheck()

/** A link between a and b. `incarnation`: that of b, which a knows from its hello. */
interface Sample {
  readonly dialler: 'a' | 'b'
  readonly counter: number
  readonly incarnation: number
}

function linkAt(end: 'a' | 'b', { dialler, counter, incarnation: peerIncarnation }: Sample): Link {
  const direction = dialler === end ? 'outbound' : 'inbound'
  const id = `${dialler}${counter}`
  const link = newLink({ id, peer: '', direction, address: '', transport: 'quic', gossip: 'none' }, 0)
  const incarnation = end === 'a' ? peerIncarnation : 1
  const trace = { traceId: '', spanId: '' }
  link.counter = counter
  link.hello = { meshes: ['m'], name: '', role: 'compute', incarnation, build: '', counter, trace }
  return link
}

const rows: readonly (readonly [why: string, winner: Sample, loser: Sample, rule: string])[] = [
  [
    'the later dial of one side',
    { dialler: 'a', counter: 3, incarnation: 1 },
    { dialler: 'a', counter: 2, incarnation: 1 },
    'counter',
  ],
  [
    '… of the other side too',
    { dialler: 'b', counter: 9, incarnation: 1 },
    { dialler: 'b', counter: 8, incarnation: 1 },
    'counter',
  ],
  [
    'of crossed dials the lower id’s',
    { dialler: 'a', counter: 1, incarnation: 1 },
    { dialler: 'b', counter: 7, incarnation: 1 },
    'lower-peer',
  ],
  [
    'the later incarnation’s, whichever side dialled',
    { dialler: 'b', counter: 1, incarnation: 6 },
    { dialler: 'a', counter: 5, incarnation: 5 },
    'incarnation',
  ],
]

for (const [why, winner, loser, rule] of rows) {
  test(`winner: ${why}`, () => {
    for (const [first, second] of [
      [winner, loser],
      [loser, winner],
    ] as const) {
      const judged = chooseSurvivor('a', 'b', linkAt('a', first), linkAt('a', second))
      assert.deepEqual([judged.winner.info.id, judged.rule], [`${winner.dialler}${winner.counter}`, rule])
    }
  })
}

test('live links: both ends choose the same winner in any order', () => {
  const sample = fc.record({
    dialler: fc.constantFrom('a' as const, 'b' as const),
    counter: fc.nat(9),
    incarnation: fc.constant(1),
  })
  fc.assert(
    fc.property(sample, sample, (x, y) => {
      fc.pre(x.dialler !== y.dialler || x.counter !== y.counter)
      const atA = chooseSurvivor('a', 'b', linkAt('a', x), linkAt('a', y))
      const atB = chooseSurvivor('b', 'a', linkAt('b', y), linkAt('b', x))
      assert.deepEqual([atA.winner.info.id, atA.rule], [atB.winner.info.id, atB.rule])
    }),
  )
})
