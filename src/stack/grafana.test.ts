import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { boardRows } from '../catalogue/board-panels.ts'
import { boardPage, renderBoard } from '../catalogue/grafana-board.ts'
import { jsonText } from '../catalogue/text-formats.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { programTest } from '../testing/stack/program-test.ts'

leakCheck()

const root = new URL('../../', import.meta.url)
const text = (path: string) => readFile(new URL(path, root), 'utf8')
const panels = boardRows.flatMap((row) => row.panels)
const queries = panels.flatMap(({ title, queries: of }) => of.map((query) => ({ title, ...query })))

interface PlacedPanel {
  readonly id: number
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: { readonly defaults: { readonly links: readonly { readonly url: string }[] } }
}
const board = JSON.parse(renderBoard()) as { panels: PlacedPanel[]; templating: { list: { name: string }[] } }

/** Replaces Grafana's variables by example values. */
function filledIn(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '1h')
    .replaceAll(/\$(mesh|node)\b/g, '.*')
}

test('the committed board matches the table of panels (if not: npm run generate)', async () => {
  assert.equal(await readFile(boardPage, 'utf8'), renderBoard())
})

test('panels have unique ids, fit the grid and do not overlap', () => {
  assert.equal(new Set(board.panels.map(({ id }) => id)).size, board.panels.length)
  const taken = new Map<string, string>()
  for (const { title, gridPos } of board.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, `${title} is too wide`)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.equal(taken.get(`${x} ${y}`), undefined, `${title} covers ${taken.get(`${x} ${y}`)}`)
        taken.set(`${x} ${y}`, title)
      }
    }
  }
})

test('every metric comes from the Collector or Prometheus, and every variable is on the board', async () => {
  const declared = Array.from((await text('otel/collector.yaml')).matchAll(/^ +- name: (mesh\.\S+)$/gm), ([, name]) =>
    name?.replaceAll('.', '_'),
  )
  assert.ok(declared.includes('mesh_registry_size'), 'the gauges of otel/collector.yaml were not found')
  const known = [
    ...declared.flatMap((name) => [name, `${name}_total`]),
    'traces_span_metrics_calls_total',
    'traces_span_metrics_duration_milliseconds_bucket',
    // Prometheus makes the first; the others are internal metrics of the Collector.
    'ALERTS',
    'otelcol_exporter_queue_size',
    'otelcol_exporter_queue_capacity',
  ]
  const variables = [...board.templating.list.map(({ name }) => name), '__rate_interval', '__range']
  for (const { title, expr } of queries) {
    const bare = expr.replaceAll(/"[^"]*"/g, '""')
    const metrics = bare.match(/\b(?:ALERTS|(?:mesh|traces|otelcol)_\w+)\b(?=\{| |$|\)|\/)/g) ?? []
    const labels = ['mesh_id', 'mesh_node_name', 'mesh_registry']
    const unknown = metrics.filter((name) => !labels.includes(name) && !known.includes(name))
    assert.deepEqual(unknown, [], title)
    for (const [, name] of expr.matchAll(/\$(\w+)/g)) assert.ok(variables.includes(name ?? ''), `${title}: $${name}`)
  }
})

test('a legend uses only labels that its query keeps', () => {
  for (const { title, expr, legend } of queries) {
    if (!expr.includes(' by (')) continue
    const labels = /^.*? by \(([^)]*)\)/.exec(expr.replace(/^histogram_quantile.*/, ''))?.[1]?.split(', ') ?? []
    for (const [, label] of legend.matchAll(/\{\{(\w+)\}\}/g))
      assert.ok(labels.includes(label ?? ''), `${title}: ${label}`)
  }
})

test('a Jaeger link names a node only where a series is one node', () => {
  const searching = board.panels.filter(({ fieldConfig }) => (fieldConfig?.defaults.links.length ?? 0) > 0)
  assert.ok(searching.length >= 10)
  const url = (title: string) =>
    board.panels.find((panel) => panel.title === title)?.fieldConfig?.defaults.links[0]?.url ?? ''
  assert.match(url('Retries'), /operation=mesh\.seed\.retry&tags=%7B%22mesh\.node\.name/)
  assert.doesNotMatch(url('Fill'), /tags=/)
})

test('data sources have the ids that the board uses, and Kubernetes sets their variables', async () => {
  const sources = await text('otel/grafana/provisioning/datasources/stack.yml')
  for (const uid of ['prometheus', 'jaeger', 'alertmanager']) assert.match(sources, new RegExp(`^ +uid: ${uid}$`, 'm'))
  const pod = await text('deploy/k8s/grafana/grafana.yaml')
  const variables = new Set(Array.from(sources.matchAll(/(?<!\$)\$([A-Z_]+)/g), ([, name]) => name))
  assert.equal(variables.size, 4)
  for (const name of variables) assert.ok(pod.includes(`name: ${name},`), `${name} is set nowhere`)
})

/** A rule file; JSON is valid YAML. */
function rulesOf(exprs: readonly string[]): string {
  const rules = exprs.map((expr, index) => ({ record: `board:query_${index}`, expr: filledIn(expr) }))
  return jsonText({ groups: [{ name: 'board', rules }] })
}

programTest(
  'every query of the board is valid PromQL, and promtool reports an invalid one',
  ['promtool'],
  async (tools) => {
    const file = join(tools.folder, 'board.yml')
    await writeFile(file, rulesOf(queries.map(({ expr }) => expr)))
    const sound = await tools.check('check', 'rules', file)
    assert.ok(sound.ok, sound.text)
    await writeFile(file, rulesOf(['sum by (a) (rate(b[5m])']))
    assert.match((await tools.check('check', 'rules', file)).text, /parse error|unclosed/)
  },
)

programTest('the first give-up counts, an old one does not', ['promtool'], async ({ folder, check }) => {
  const [stat, graph] = ['Give-ups', 'Give-ups'].map(
    (title, index) => panels.filter((panel) => panel.title === title)[index]?.queries[0]?.expr ?? '',
  )
  const labels = 'span_name="mesh.seed.giveup",mesh_id="a",mesh_node_name="n"'
  const at = (time: string, expr: string | undefined, value: number, of: string) => ({
    expr: filledIn(expr ?? ''),
    eval_time: time,
    exp_samples: [{ labels: of, value }],
  })
  const tests = jsonText({
    evaluation_interval: '15s',
    tests: [
      {
        interval: '15s',
        // Starts at 1 after 20 min, rises to 2 after 30 min, then stays.
        input_series: [{ series: `traces_span_metrics_calls_total{${labels}}`, values: '_x80 1x39 2x600' }],
        promql_expr_test: [
          at('20m', graph, 1, '{mesh_id="a", mesh_node_name="n"}'),
          at('25m', graph, 0, '{mesh_id="a", mesh_node_name="n"}'),
          at('30m15s', graph, 1, '{mesh_id="a", mesh_node_name="n"}'),
          at('35m', stat, 2, '{}'),
          at('170m', stat, 0, '{}'),
        ],
      },
    ],
  })
  await writeFile(join(folder, 'tests.yml'), tests)
  const tested = await check('test', 'rules', 'tests.yml')
  assert.ok(tested.ok, tested.text)
})
