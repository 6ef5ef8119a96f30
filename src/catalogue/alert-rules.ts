import { fileURLToPath } from 'node:url'
import { durations, indent, type RecordingName } from './alert-promql.ts'
import { type AlertName, alertNames, alertOf, evaluationInterval, timesOf } from './alerts.ts'
import { recordings, recordingsIn } from './recordings.ts'
import { quote } from './text-formats.ts'

interface RuleOptions {
  /** 1: as shipped. 0.1: a tenth of every duration, but not below what the scrape interval allows. */
  readonly timeFactor: number
  /** Only these alerts; all by default. */
  readonly only?: readonly AlertName[]
}

/** The committed rules; `npm run generate` writes them. */
export const rulesPage = fileURLToPath(new URL('../../otel/rules/mesh.yml', import.meta.url))

/** Default URL of Jaeger's page. */
export const jaegerByDefault = 'http://127.0.0.1:16686'
/** Prometheus' external label, set from JAEGER_URL, takes precedence. */
export const jaegerTemplate = `{{ with $externalLabels.jaeger }}{{ . }}{{ else }}${jaegerByDefault}{{ end }}`

/**
 * Prometheus' rule file. It evaluates alerts of severity `page` at every scrape, the others less often. Throws
 * RangeError unless 0 < `timeFactor` <= 1.
 */
export function renderRules({ timeFactor, only = alertNames }: RuleOptions): string {
  const d = durations(timeFactor)
  const used = recordingsIn(only.map((name) => alertOf(name).expr(d)).join('\n'), d)
  const groups = (['page', 'warn'] as const).flatMap((severity) => {
    const names = only.filter((name) => alertOf(name).severity === severity)
    const rules = [
      ...used.filter((name) => recordings[name].group === severity).map((name) => recording(name, timeFactor)),
      ...names.map((name) => rule(name, timeFactor)),
    ]
    if (rules.length === 0) return []
    return `  - name: mesh-${severity}
    interval: ${evaluationInterval(severity, timeFactor)}
    rules:
${rules.join('\n')}`
  })
  return `# Written by \`npm run generate\` from src/catalogue/alerts.ts; a test fails when the two differ. Do not edit.
# Meaning and remedy of each alert: otel/ALERTS.md.
groups:
${groups.join('\n')}
`
}

function recording(name: RecordingName, timeFactor: number): string {
  const { brief, expr } = recordings[name]
  return deeper([`# ${brief}`, `- record: ${name}`, '  expr: |', deeper(expr(durations(timeFactor)), 2)].join('\n'), 3)
}

function rule(name: AlertName, timeFactor: number): string {
  const { expr, severity, about } = alertOf(name)
  const { forTime, keepFiring } = timesOf(name, timeFactor)
  const annotations = Object.entries(annotationsOf(name)).map(([key, text]) => `${key}: ${quote(text)}`)
  const lines = [
    `- alert: ${name}`,
    '  expr: |',
    deeper(expr(durations(timeFactor)), 2),
    ...(forTime === undefined ? [] : [`  for: ${forTime}`]),
    ...(keepFiring === undefined ? [] : [`  keep_firing_for: ${keepFiring}`]),
    `  labels: { severity: ${severity}, about: ${about} }`,
    '  annotations:',
    deeper(annotations.join('\n'), 2),
  ]
  return deeper(lines.join('\n'), 3)
}

function deeper(text: string, steps: number): string {
  return steps === 0 ? text : deeper(indent(text), steps - 1)
}

/** Annotations of an alert, as templates. */
export function annotationsOf(name: AlertName): Readonly<Record<string, string>> {
  const { summary, cure } = alertOf(name)
  return { summary, cure, runbook: `otel/ALERTS.md#${name.toLowerCase()}`, traces: tracesLink(name) }
}

/** Opens Jaeger at the spans of the cause, in the last two days, which it searches without a start. */
function tracesLink(name: AlertName): string {
  const { search, per } = alertOf(name)
  if (search === 'pipeline') return `${jaegerTemplate}/search`
  // The configuration excludes characters that a URL or JSON would escape.
  const tags = encodeURIComponent('{"mesh.node.name":"NAME"}').replace('NAME', '{{ $labels.mesh_node_name }}')
  return [
    `${jaegerTemplate}/search?service={{ $labels.mesh_id }}`,
    ...(search === 'node' ? [] : [`operation=${search.span}`]),
    ...(per === 'node' ? [`tags=${tags}`] : []),
    'lookback=2d',
    'limit=100',
  ].join('&')
}
