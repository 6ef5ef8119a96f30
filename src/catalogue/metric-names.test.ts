import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parse } from 'yaml'
import { leakCheck } from '../testing/leak-check.ts'
import { alertNames, alertOf } from './alerts/alerts.ts'
import { durations } from './alerts/promql.ts'
import { recordingNames, recordings } from './alerts/recordings.ts'
import { boardRows } from './board-panels.ts'

leakCheck()

const collector = await readFile(new URL('../../otel/collector.yaml', import.meta.url), 'utf8')
/** Metrics that the Collector makes counters of. */
const counters = /IsMatch\(name, "\^mesh\\\\\.\((.+)\)\$"\)'\]\n +statements:\n +- convert_gauge_to_sum/
  .exec(collector)?.[1]
  ?.split('|')
  .map((name) => `mesh_${name.replaceAll('\\\\.', '_')}`)

function gauges(): readonly string[] {
  const { connectors } = parse(collector, { merge: true }) as {
    connectors: { signal_to_metrics: { spans: readonly { name: string }[] } }
  }
  return [...new Set(connectors.signal_to_metrics.spans.map(({ name }) => name.replaceAll('.', '_')))]
}

test('metrics of nodes have base units, and a counter is named by one', () => {
  const names = gauges()
  assert.ok(names.length > 10)
  for (const name of names) {
    assert.doesNotMatch(name, /_(ms|millis\w*|micros\w*|minutes|hours|kb|mb|kib|mib|percent)(_|$)/, name)
    if (name.endsWith('_total')) assert.ok(counters?.includes(name), name)
  }
  for (const name of counters ?? assert.fail('no counters')) assert.ok(names.includes(name), name)
})

test('rules and boards take rates of counters only, and differences of gauges never', () => {
  const d = durations(1)
  const exprs = [
    ...alertNames.map((name) => alertOf(name).expr(d)),
    ...recordingNames.map((name) => recordings[name].expr(d)),
    ...boardRows.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries.map(({ expr }) => expr))),
  ]
  const rated = exprs.flatMap((expr) =>
    [...expr.matchAll(/\b(?:rate|increase|irate)\((\w+)/g)].map(([, name = '']) => name),
  )
  assert.ok(rated.length > 10)
  for (const name of rated) assert.match(name, /_(total|bucket|sum|count)$/)
  for (const expr of exprs)
    for (const counter of counters ?? [])
      assert.ok(
        !new RegExp(`\\b${counter.replace(/_total$/, '')}\\b(?!_)`).test(expr),
        `${counter} is a counter: ${expr}`,
      )
})
