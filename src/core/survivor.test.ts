import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { helloOf, infoOf } from '../testing/core/node-fixture.ts'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { Link } from './link.ts'
import { chooseSurvivor, type SurvivorRule } from './survivor.ts'

leakCheck()

type End = 'a' | 'b'

/** A link between a and b. `incarnation`: that of b, which a knows from its hello. */
type Sample = readonly [dialler: End, counter: number, incarnation: number]

function linkAt(end: End, [dialler, counter, peerIncarnation]: Sample): Link {
  const direction = dialler === end ? 'outbound' : 'inbound'
  const link = new Link(infoOf({ id: `${dialler}${counter}`, direction }), 0)
  link.counter = counter
  link.hello = helloOf({ incarnation: end === 'a' ? peerIncarnation : 1, counter })
  return link
}

const rows: readonly (readonly [why: string, winner: Sample, loser: Sample, rule: SurvivorRule])[] = [
  ['the later dial of one side', ['a', 3, 1], ['a', 2, 1], 'counter'],
  ['the later dial of the other side', ['b', 9, 1], ['b', 8, 1], 'counter'],
  ['of crossed dials the lower id’s', ['a', 1, 1], ['b', 7, 1], 'lower-peer'],
  ['the later incarnation’s, whichever side dialled', ['b', 1, 6], ['a', 5, 5], 'incarnation'],
]

for (const [why, winner, loser, rule] of rows) {
  test(`winner: ${why}`, () => {
    for (const [first, second] of [
      [winner, loser],
      [loser, winner],
    ] as const) {
      const judged = chooseSurvivor('a', 'b', linkAt('a', first), linkAt('a', second))
      assert.deepEqual([judged.winner.info.id, judged.rule], [`${winner[0]}${winner[1]}`, rule])
    }
  })
}

test('live links: both ends choose the same winner in any order', async (t) => {
  const sample = fc.tuple(fc.constantFrom<End>('a', 'b'), fc.nat(9), fc.constant(1))
  await forAll({ t }, [sample, sample], (x, y) => {
    fc.pre(x[0] !== y[0] || x[1] !== y[1])
    const atA = chooseSurvivor('a', 'b', linkAt('a', x), linkAt('a', y))
    const atB = chooseSurvivor('b', 'a', linkAt('b', y), linkAt('b', x))
    assert.deepEqual([atA.winner.info.id, atA.rule], [atB.winner.info.id, atB.rule])
  })
})
