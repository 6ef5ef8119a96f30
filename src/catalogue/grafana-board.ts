import { fileURLToPath } from 'node:url'
import { sizeBands } from './bands.ts'
import { type BoardPanel, type BoardQuery, type BoardRow, boardRows } from './board-panels.ts'
import type { SpanName } from './spans.ts'
import { type Json, jsonText } from './text-formats.ts'

/** The committed board; `npm run generate` writes it. */
export const boardPage = fileURLToPath(new URL('../../otel/grafana/boards/mesh.json', import.meta.url))

/** As named in `otel/grafana/provisioning/datasources`. */
const prometheus = { type: 'prometheus', uid: 'prometheus' }
const columnsOfGrid = 24
const heights = { stat: 4, alerts: 6, lines: 8, bars: 8, bands: 8 } as const
const types = {
  stat: 'stat',
  alerts: 'table',
  lines: 'timeseries',
  bars: 'timeseries',
  bands: 'state-timeline',
} as const
/** One per band, from empty to full. */
const bandColours = ['text', 'green', 'blue', 'yellow', 'orange', 'red'] as const

/** Renders the table of panels as a Grafana dashboard. */
export function renderBoard(rows: readonly BoardRow[] = boardRows): string {
  return jsonText({
    uid: 'tracemesh',
    title: 'Mesh',
    description: 'Written by `npm run generate` from src/catalogue/board-panels.ts; do not edit.',
    tags: ['tracemesh'],
    timezone: 'browser',
    schemaVersion: 39,
    editable: false,
    // Shared crosshair: a shared tooltip over all series would not be readable.
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: variables() },
    annotations: { list: [alertAnnotation()] },
    links: [jaegerLink()],
    panels: panels(rows),
  })
}

function panels(rows: readonly BoardRow[]): Json[] {
  const result: Json[] = []
  let [y, id] = [0, 0]
  for (const { title, panels: inRow } of rows) {
    id += 1
    result.push({ id, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: columnsOfGrid, h: 1 }, panels: [] })
    y += 1
    let [x, deepest] = [0, 0]
    for (const panel of inRow) {
      const [w, h] = [panel.columns ?? 8, heights[panel.kind]]
      if (x + w > columnsOfGrid) {
        y += deepest
        x = 0
        deepest = 0
      }
      id += 1
      result.push(render(panel, id, { x, y, w, h }))
      x += w
      deepest = Math.max(deepest, h)
    }
    y += deepest
  }
  return result
}

function render(panel: BoardPanel, id: number, gridPos: Json): Json {
  const { title, description, kind, queries } = panel
  return {
    id,
    type: types[kind],
    title,
    description,
    datasource: prometheus,
    gridPos,
    targets: queries.map((query, index) => target(query, index, kind)),
    fieldConfig: { defaults: defaults(panel), overrides: [] },
    options: options(kind),
    ...(kind === 'alerts' ? { transformations: columns() } : {}),
  }
}

function target({ expr, legend }: BoardQuery, index: number, kind: BoardPanel['kind']): Json {
  const now = kind === 'stat' || kind === 'alerts'
  return {
    refId: String.fromCharCode(65 + index),
    datasource: prometheus,
    expr,
    legendFormat: legend,
    instant: now,
    range: !now,
    // An exemplar links to a trace in the data source.
    exemplar: kind === 'lines' || kind === 'bars',
    ...(kind === 'alerts' ? { format: 'table' } : {}),
  }
}

function defaults({ kind, unit, badFrom, search, queries }: BoardPanel): Json {
  const steps: Json[] = [{ color: kind === 'stat' && badFrom !== undefined ? 'green' : 'text', value: null }]
  if (badFrom !== undefined) steps.push({ color: 'red', value: badFrom })
  return {
    unit: unit ?? 'short',
    ...(kind === 'stat' || kind === 'bars' ? { decimals: 0 } : {}),
    ...(kind === 'lines' || kind === 'bars' ? { custom: drawOptions(kind, badFrom !== undefined) } : {}),
    ...(kind === 'bands' ? { mappings: bands(), custom: { fillOpacity: 70, lineWidth: 0 } } : {}),
    color: { mode: kind === 'lines' || kind === 'bars' ? 'palette-classic' : 'thresholds' },
    thresholds: { mode: 'absolute', steps },
    links: search === undefined ? [] : [searchLink(search, queries)],
  }
}

function drawOptions(kind: 'lines' | 'bars', marked: boolean): Json {
  return {
    drawStyle: kind === 'bars' ? kind : 'line',
    fillOpacity: kind === 'bars' ? 60 : 0,
    lineWidth: 1,
    showPoints: 'never',
    spanNulls: false,
    thresholdsStyle: { mode: marked ? 'dashed' : 'off' },
    // Overlapping bars would hide small numbers.
    stacking: { mode: kind === 'bars' ? 'normal' : 'none' },
  }
}

function options(kind: BoardPanel['kind']): Json {
  if (kind === 'stat') return { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'none' }
  if (kind === 'alerts') return { showHeader: true, sortBy: [{ displayName: 'alertstate', desc: false }] }
  const legend = { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] }
  if (kind === 'bands') return { mergeValues: true, showValue: 'auto', rowHeight: 0.9, legend }
  return { legend, tooltip: { mode: 'multi', sort: 'desc' } }
}

/** Maps each number to the band that spans carry. */
function bands(): Json[] {
  const from = sizeBands.map((band) => Number.parseInt(band, 10))
  return sizeBands.map((text, index) => ({
    type: 'range',
    options: {
      from: from[index] ?? 0,
      to: from[index + 1] === undefined ? null : (from[index + 1] ?? 0) - 1,
      result: { text, color: bandColours[index] ?? 'red', index },
    },
  }))
}

function columns(): Json[] {
  const columnNames = ['alertname', 'severity', 'alertstate', 'mesh_id', 'mesh_node_name']
  return [{ id: 'filterFieldsByName', options: { include: { names: columnNames } } }]
}

/** Jaeger search for a click on a series, within the time range; Jaeger needs microseconds, hence `000`. */
function searchLink(span: SpanName, queries: readonly BoardQuery[]): Json {
  const perNode = queries.every(({ legend }) => legend.includes('mesh_node_name'))
  const [open, close] = ['{"mesh.node.name":"', '"}'].map(encodeURIComponent)
  const params = [
    `service=${ref('__field.labels.mesh_id')}`,
    `operation=${span}`,
    ...(perNode ? [`tags=${open}${ref('__field.labels.mesh_node_name')}${close}`] : []),
    `start=${ref('__from')}000&end=${ref('__to')}000&lookback=custom&limit=100`,
  ]
  return { title: `${span} in Jaeger`, url: `${ref('jaeger')}/search?${params.join('&')}`, targetBlank: true }
}

/** Link in the header of the board. */
function jaegerLink(): Json {
  const style = { icon: 'external link', tooltip: '', tags: [], asDropdown: false, targetBlank: true }
  return {
    title: 'Jaeger',
    type: 'link',
    url: `${ref('jaeger')}/search`,
    includeVars: false,
    keepTime: false,
    ...style,
  }
}

/** A variable reference in Grafana's syntax. */
function ref(variable: string): string {
  return `\${${variable}}`
}

function variables(): Json[] {
  const labels = (name: string, label: string, query: string) => ({
    name,
    label,
    type: 'query',
    datasource: prometheus,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
  })
  const calls = 'traces_span_metrics_calls_total'
  const jaeger = 'http://127.0.0.1:16686'
  return [
    labels('mesh', 'Mesh', `label_values(${calls}, mesh_id)`),
    labels('node', 'Node', `label_values(${calls}{mesh_id=~"$mesh"}, mesh_node_name)`),
    { name: 'jaeger', label: 'Jaeger', type: 'textbox', query: jaeger, current: { text: jaeger, value: jaeger } },
  ]
}

/** Marks firing alerts on every graph. */
function alertAnnotation(): Json {
  return {
    name: 'Alerts',
    datasource: prometheus,
    enable: true,
    iconColor: 'red',
    expr: 'ALERTS{alertstate="firing",mesh_id=~"$mesh|"}',
    titleFormat: '{{alertname}}',
    textFormat: '{{mesh_node_name}}',
  }
}
