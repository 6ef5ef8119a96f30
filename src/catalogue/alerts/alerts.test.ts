import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parse } from 'yaml'
import { leakCheck } from '../../testing/leak-check.ts'
import { attributes } from '../attributes.ts'
import { boardRows } from '../board-panels.ts'
import { specOf } from '../span-effect.ts'
import { type SpanName, spans } from '../spans.ts'
import { type AlertName, alertNames, alertOf, firesWithinMs, flushSeconds } from './alerts.ts'
import { jaegerTemplate, runbooksByDefault } from './links.ts'
import { renderAlertsPage } from './page.ts'
import { durations, scrapeSeconds, secondsOf, shortestWindow } from './promql.ts'
import { recordingNames, recordings, recordingsIn } from './recordings.ts'
import { filledIn, renderRuleTests } from './rule-tests.ts'
import { annotationsOf, renderRules, watchdog } from './rules.ts'
import { sampleLimit } from './series.ts'

leakCheck()

const shipped = renderRules({ timeFactor: 1 })
/** A number and a unit as one word: neither the `3` of `> 3` nor the `5 min` of a summary. */
const duration = /(?<![\w.-])\d+[smhd](?!\w)/g
const config = (name: string) => readFile(new URL(`../../../otel/${name}`, import.meta.url), 'utf8')

/** YAML of each rule, by alert name. */
function rulesByName(text: string): ReadonlyMap<string, string> {
  const parts = text.split(/^ {6}- alert: /m).slice(1)
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), part]))
}

test('a time factor changes durations only', () => {
  for (const timeFactor of [0.5, 0.1, 0.02, 0.001]) {
    const shortened = renderRules({ timeFactor })
    assert.notEqual(shortened, shipped)
    assert.equal(shortened.replaceAll(duration, 'T'), shipped.replaceAll(duration, 'T'), `factor ${timeFactor}`)
    const [before, after] = [shipped, shortened].map((text) => text.match(duration)?.map(secondsOf) ?? [])
    for (const [index, seconds] of (before ?? []).entries()) {
      const now = after?.[index] ?? Number.NaN
      assert.ok(now <= seconds && now >= Math.floor(seconds * timeFactor), `${seconds} s became ${now} s`)
    }
  }
})

test('every duration of an expression goes through the time factor, except the step of a subquery', () => {
  const durationsUsed: string[] = []
  const exprs = [...alertNames.map(alertOf), ...Object.values(recordings)].map(({ expr }) => expr)
  for (const expr of exprs) {
    const text = expr((written) => {
      durationsUsed.push(written)
      return 'T'
    })
    assert.deepEqual(text.replaceAll(/:[13]0s\]/g, ']').match(duration), null, text)
  }
  assert.ok(durationsUsed.length > alertNames.length)
})

test('a small time factor: windows keep four scrapes, delays keep one evaluation', () => {
  const shortest = renderRules({ timeFactor: 0.001 })
  // Not a rate, but an exact difference of two scrapes.
  const exact = '20s'
  const windows = Array.from(shortest.matchAll(/(?:\[|offset )(\d+s)/g), ([, text = '']) => text)
  const shorter = windows.filter((text) => secondsOf(text) < secondsOf(shortestWindow))
  assert.deepEqual([...new Set(shorter)], [exact])
  const waits = Array.from(shortest.matchAll(/(?:for|interval): (\d+s)/g), ([, text = '']) => secondsOf(text))
  assert.equal(Math.min(...waits), scrapeSeconds)
})

test('a time factor outside 0 to 1 or a malformed duration throws a RangeError', () => {
  for (const timeFactor of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => renderRules({ timeFactor }), RangeError)
  }
  for (const text of ['', '5', '0s', '1.5m', '5 m', '1m30s']) {
    assert.throws(() => secondsOf(text), RangeError)
  }
  assert.equal(durations(1)('30s', '5m'), '30s')
  assert.equal(durations(0.1)('30s', '5m'), '30s')
  assert.equal(durations(0.1)('10m', '90s'), '90s')
  assert.equal(durations(0.1)('10m'), '60s')
})

test('every alert has a rule with its annotations, cases that fire and do not fire, and a section in ALERTS.md', () => {
  const rules = rulesByName(shipped)
  assert.deepEqual([...rules.keys()].toSorted(), [...alertNames, watchdog.name].toSorted())
  const [tests, page] = [
    (['short', 'long', 'days'] as const).map((which) => renderRuleTests(which)).join(''),
    renderAlertsPage(),
  ]
  for (const name of alertNames) {
    const { severity, about, cases, meaning } = alertOf(name)
    const rule = rules.get(name) ?? ''
    for (const key of ['summary', 'description', 'runbook_url', 'traces'])
      assert.match(rule, new RegExp(`^ +${key}: ["']..`, 'm'), name)
    assert.ok(rule.includes(`labels: { severity: ${severity}, about: ${about} }`), name)
    const fired = Object.values(cases).map(({ checks }) => Object.values(checks).some((fires) => fires.length > 0))
    assert.ok(fired.includes(true), `${name} has no case that fires`)
    assert.ok(fired.includes(false), `${name} has no case that stays silent`)
    for (const title of Object.keys(cases)) assert.ok(tests.includes(`${name}: ${title}`), name)
    assert.ok(page.includes(`\n## ${name}\n`) && page.includes(`[${name}](#${name.toLowerCase()})`), name)
    assert.ok(meaning.length > 40, name)
  }
})

test('expressions, meanings and cures use existing spans, attributes and labels only', () => {
  const labels = ['mesh_id', 'mesh_node_name', 'mesh_node_role', 'mesh_registry', 'mesh_budget', 'mesh_series']
  labels.push('mesh_doctor_disease', 'mesh_doctor_certainty')
  const gauges = ['size', 'capacity'].map((what) => `mesh_registry_${what}`)
  gauges.push(
    'mesh_links',
    'mesh_guests',
    'mesh_suspects',
    'mesh_members',
    'mesh_sweeps_total',
    'mesh_telemetry_lost_total',
  )
  gauges.push(
    'mesh_series_limit',
    'mesh_series_limit_by_mesh',
    'mesh_process_resident_memory_bytes',
    'mesh_process_cpu_seconds_total',
    'mesh_process_cpu_ratio',
  )
  for (const name of alertNames) {
    const { expr, cure, meaning, search } = alertOf(name)
    const d = durations(1)
    const own = expr(d)
    const text = [own, ...recordingsIn(own, d).map((recording) => recordings[recording].expr(d))].join('\n')
    for (const [, span = ''] of text.matchAll(/span_name="([^"]+)"/g)) assert.ok(span in spans, `${name}: ${span}`)
    for (const [word] of text.matchAll(/\bmesh_\w+/g))
      assert.ok([...labels, ...gauges].includes(word), `${name}: ${word}`)
    for (const [word] of `${cure} ${meaning}`.matchAll(/\bmesh\.[a-z_.]*[a-z]/g)) {
      const known = word in spans || word in attributes || `${word}s` in spans || word === 'mesh.audit'
      assert.ok(known || word.startsWith('mesh.registry.'), `${name}: ${word}`)
    }
    if (typeof search !== 'string') assert.ok((search.span as SpanName) in spans, name)
  }
})

test('no alert and no board counts routine spans, which are sampled', () => {
  const d = durations(1)
  const alertTexts = [
    ...alertNames.map((name) => [name, alertOf(name).expr(d)] as const),
    ...recordingNames.map((name) => [name, recordings[name].expr(d)] as const),
  ]
  const boardTexts = boardRows.flatMap(({ panels }) =>
    panels.flatMap(({ title, queries }) => queries.map(({ expr }) => [title, expr] as const)),
  )
  const counting = [...alertTexts, ...boardTexts].flatMap(([what, text]) =>
    [...text.matchAll(/span_name="([^"]+)"/g)].flatMap(([, span = '']) =>
      specOf(spans, span as SpanName).routine === undefined ? [] : [`${what}: ${span}`],
    ),
  )
  // Nodes of the previous version have no count of sweeps and do not sample.
  assert.deepEqual(counting, ['MeshPrunerSilent: mesh.staleness.pruned'])
})

test('the link of a node alert opens a Jaeger search for its span, mesh and node', () => {
  const template = annotationsOf('MeshSeedGiveup')['traces'] ?? ''
  assert.ok(template.startsWith(jaegerTemplate))
  const labels = { mesh_id: 'mesh-a', mesh_node_name: 'a-gateway-1' }
  const link = new URL(filledIn(template, { labels }, 'https://jaeger.example.org'))
  assert.equal(link.origin + link.pathname, 'https://jaeger.example.org/search')
  assert.deepEqual(Object.fromEntries(link.searchParams), {
    service: 'mesh-a',
    operation: 'mesh.seed.giveup',
    tags: '{"mesh.node.name":"a-gateway-1"}',
    lookback: '2d',
    limit: '100',
  })
  const ofMesh = new URL(filledIn(annotationsOf('MeshRetryStorm')['traces'] ?? '', { labels }))
  assert.equal(ofMesh.searchParams.get('tags'), null)
  for (const name of alertNames) {
    const texts = Object.values(annotationsOf(name)).map((text) => filledIn(text, { labels, value: 1 }))
    assert.ok(!texts.join().includes('{{'), `${name} has a template that its tests cannot fill in`)
  }
})

test('the link to the runbook is an address of its own, in the repository of package.json', async () => {
  const { repository } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    repository: { url: string }
  }
  assert.ok(runbooksByDefault.startsWith(`${repository.url.replace(/^git\+|\.git$/g, '')}/`), repository.url)
  const page = renderAlertsPage()
  for (const name of [...alertNames, watchdog.name]) {
    const template =
      name === watchdog.name ? watchdog.annotations.runbook_url : annotationsOf(name as AlertName)['runbook_url']
    const link = new URL(filledIn(template ?? '', { labels: {} }))
    assert.ok(page.toLowerCase().includes(`\n## ${link.hash.slice(1)}\n`), `${link}`)
  }
})

test('the first give-up fires within a minute; stated times scale with the time factor', () => {
  assert.ok(firesWithinMs('MeshSeedGiveup') <= 55_000, 'group_wait comes on top')
  for (const name of alertNames) {
    const [full, tenth] = [firesWithinMs(name), firesWithinMs(name, 0.1)]
    assert.ok(tenth <= full && tenth >= full * 0.1, name)
  }
  const { emitDelay } = alertOf('MeshPipelineDown' satisfies AlertName)
  assert.equal(emitDelay, '0s')
  // Two flushes and a scrape; `for` of a minute is six evaluations after the first.
  assert.equal(firesWithinMs('MeshPipelineDown'), (2 * flushSeconds + scrapeSeconds + 7 * 10) * 1_000)
})

test('Prometheus and the Collector have the intervals and limits that the rules assume', async () => {
  const prometheus = await config('prometheus.yml')
  assert.ok(prometheus.includes(`scrape_interval: ${scrapeSeconds}s`))
  assert.ok(prometheus.includes(`evaluation_interval: ${scrapeSeconds}s`))
  assert.ok(prometheus.includes(`sample_limit: ${sampleLimit}`))
  const collector = await config('collector.yaml')
  assert.ok(collector.includes(`:-${flushSeconds}s}"`), 'the Collector flushes span metrics at the stated interval')
  const [, byMesh = ''] = /aggregation_cardinality_limit: (\d+)$/m.exec(collector) ?? []
  const [, gauge] =
    /name: mesh\.series\.limit\.by_mesh\n(?: {8}.*\n)*? {8}gauge: \{ value: "(\d+)" \}/.exec(collector) ?? []
  assert.equal(gauge, byMesh, 'the gauge has the limit of the counter by mesh')
  assert.ok(alertOf('MeshCardinalityOverflow').meaning.includes(Number(byMesh).toLocaleString('en')))
  const jobs = Array.from(prometheus.matchAll(/job_name: (\S+)/g), ([, job]) => job)
  for (const [, job] of shipped.matchAll(/job="([^"]+)"\}/g)) assert.ok(jobs.includes(job), job)
})

test('Alertmanager inhibits existing alerts of the same node only, none that counts events, and none because of the pipeline', async () => {
  const { inhibit_rules: rules } = parse(await config('alertmanager.yml')) as { inhibit_rules: InhibitRule[] }
  assert.ok(rules.length > 0)
  const matching = (matchers: readonly string[]) => alertNames.filter((name) => matchers.every(matches(name)))
  for (const { source_matchers: source, target_matchers: target, equal } of rules) {
    const [sources, targets] = [matching(source), matching(target)]
    assert.ok(sources.length > 0 && targets.length > 0, source.join())
    assert.deepEqual(equal, ['mesh_id', 'mesh_node_name'])
    for (const name of sources) assert.equal(alertOf(name).about, 'mesh', name)
    for (const name of targets) assert.notEqual(alertOf(name).basis, 'events', name)
  }
})

interface InhibitRule {
  readonly source_matchers: readonly string[]
  readonly target_matchers: readonly string[]
  readonly equal?: readonly string[]
}

/** Whether an alert may match a matcher of Alertmanager; a label that the rule does not set may have any value. */
function matches(name: AlertName): (matcher: string) => boolean {
  const { severity, about } = alertOf(name)
  const labels: Readonly<Record<string, string>> = { alertname: name, severity, about }
  return (matcher) => {
    const [, label = '', operator, quoted = ''] = /^(\w+) ?(=~?|!=) ?"?([^"]*)"?$/.exec(matcher) ?? []
    const value = labels[label]
    if (value === undefined) return true
    if (operator === '=~') return new RegExp(`^(?:${quoted})$`).test(value)
    return (value === quoted) === (operator === '=')
  }
}

test('an alert is held back by nothing, by arrears or by silence of the pipeline, as its basis says', () => {
  for (const name of alertNames) {
    const { basis, expr } = alertOf(name)
    const used = recordingsIn(expr(durations(1)), durations(1))
    assert.equal(used.includes('pipeline:incomplete:bool'), basis === 'silence', name)
    if (used.includes('pipeline:catching_up:bool')) assert.equal(basis === 'events', false, name)
  }
})

test('every recording rule is used, directly or by another', () => {
  const used = recordingsIn(alertNames.map((name) => alertOf(name).expr(durations(1))).join(), durations(1))
  assert.deepEqual(used, recordingNames)
})

test('the cure of MeshNodeAlone names every span of a seed without a link', () => {
  const { cure } = alertOf('MeshNodeAlone')
  for (const span of ['mesh.seed.dial', 'mesh.seed.self'] satisfies SpanName[]) assert.ok(cure.includes(span), span)
})
