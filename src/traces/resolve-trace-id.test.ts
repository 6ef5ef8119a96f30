import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import type { Query } from './find-traces.ts'
import { resolveTraceId } from './resolve-trace-id.ts'

leakCheck()

const nowMs = 1_790_000_000_000
const hourMs = 3_600_000

/** A store with traces by id: each has a service and an age. */
function storeWith(traces: Readonly<Record<string, readonly [service: string, ageMs: number]>>, partial?: string) {
  const queries: Query[] = []
  const reader = {
    services: async () => ['mesh-a', 'mesh-b'],
    async find(query: Query) {
      queries.push(query)
      const found = Object.entries(traces).filter(
        ([, [service, ageMs]]) =>
          service === query.service && nowMs - ageMs >= query.fromMs && nowMs - ageMs < query.toMs,
      )
      return { traces: found.map(([traceId]) => ({ traceId, spans: [] })), partial }
    },
  }
  return { reader, queries }
}

test('the first digits of a recent trace: its id, after one range of each service', async () => {
  const { reader, queries } = storeWith({ '1a2b3c4d00': ['mesh-b', 60_000], '1a2b3c4e00': ['mesh-a', 60_000] })
  assert.deepEqual(await resolveTraceId(reader, '1a2b3c4d', { nowMs }), { ids: ['1a2b3c4d00'], partial: undefined })
  assert.equal(queries.length, 2)
})

test('a trace of five days ago: found, and no range is read twice', async () => {
  const { reader, queries } = storeWith({ abcdef01: ['mesh-a', 120 * hourMs] })
  assert.deepEqual((await resolveTraceId(reader, 'abcdef', { nowMs })).ids, ['abcdef01'])
  const ofA = queries.filter(({ service }) => service === 'mesh-a')
  assert.ok(ofA.every(({ toMs }, i) => i === 0 || toMs === ofA[i - 1]?.fromMs))
})

test('two traces that begin alike: both', async () => {
  const { reader } = storeWith({ abcdef01: ['mesh-a', 1], abcdef02: ['mesh-b', 1] })
  assert.deepEqual((await resolveTraceId(reader, 'abcdef', { nowMs })).ids, ['abcdef01', 'abcdef02'])
})

test('no such trace: none, with the reason why there may be one', async () => {
  const { reader, queries } = storeWith({}, 'more than 2000 traces match')
  const { ids, partial } = await resolveTraceId(reader, 'abcdef', { nowMs })
  assert.deepEqual(ids, [])
  assert.match(partial ?? '', /mesh-a: more than 2000/)
  assert.equal(Math.min(...queries.map(({ fromMs }) => fromMs)), nowMs - 168 * hourMs)
})

test('a page that has moved on: no further requests', async () => {
  const { reader, queries } = storeWith({})
  await resolveTraceId(reader, 'abcdef', { nowMs, isStale: () => queries.length >= 1 })
  assert.equal(queries.length, 1)
})
