import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RankedFinding } from '../../doctor/diagnose.ts'
import { planLab } from '../../lab/plan.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { plants } from '../plants.ts'
import { findingOf, otherFindings, plantedLeaks } from './leaks.ts'
import { clockOf, namedTable } from './report.ts'

leakCheck()

const topics = plantedLeaks.find(({ plant }) => plant === 'topics') ?? assert.fail()

function findingAt(node: string, more: Partial<RankedFinding> = {}): RankedFinding {
  return {
    disease: 'topics-left',
    owner: { mesh: 'mesh-a', node, instance: 'a', part: 'topics' },
    certainty: 'likely',
    sinceMs: undefined,
    summary: '',
    proof: [],
    symptoms: [],
    ...more,
  }
}

test('the five leaks: each is a plant, in nodes that the lab has', () => {
  const names = planLab({ nodes: 8, meshes: 1, bridges: 0 }, 1).map(({ name }) => name)
  assert.equal(plantedLeaks.length, 5)
  for (const { plant, nodes } of plantedLeaks) {
    assert.ok(plant in plants, plant)
    for (const node of nodes) assert.ok(names.includes(node), node)
  }
})

test('a leak: named by its disease at its node, and not by a finding about another node or with too little evidence', () => {
  const right = findingAt('a-compute-1')
  const wrong = [
    findingAt('a-compute-2'),
    findingAt('a-compute-1', { certainty: 'insufficient' }),
    findingAt('a-compute-1', { disease: 'heap-growth' }),
  ]
  assert.equal(findingOf(topics, [...wrong, right]), right)
  assert.equal(findingOf(topics, wrong), undefined)
  assert.deepEqual(otherFindings([...wrong, right]), [wrong[0], wrong[2]])
})

test('the table of a demo: what was planted, what the doctor says, and after which time', () => {
  const table = namedTable([
    { leak: topics, finding: findingAt('a-compute-1'), afterMs: 95_400 },
    ...plantedLeaks.slice(0, 1).map((leak) => ({ leak, finding: undefined, afterMs: undefined })),
  ])
  assert.match(table, /digests and topics only grow +a-compute-1 +Topics that only grow: topics at a-compute-1 +1:35/)
  assert.match(table, /a reconnect keeps the old connection +a-broker-1 and a-gateway-1 +not named +-$/)
  assert.equal(clockOf(300_000), '5:00')
})
