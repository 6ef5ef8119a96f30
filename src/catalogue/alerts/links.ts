import { type AlertName, alertOf } from './alerts.ts'

/** Default URL of Jaeger's page. */
export const jaegerByDefault = 'http://127.0.0.1:16686'
/** Prometheus' external label, set from JAEGER_URL, takes precedence. */
export const jaegerTemplate = externalOr('jaeger', jaegerByDefault)

/** ALERTS.md in the repository that `package.json` names; a test compares the two. */
export const runbooksByDefault = 'https://tracemesh.example/tracemesh/blob/main/otel/ALERTS.md'
/** Prometheus' external label, set from RUNBOOKS_URL, takes precedence: a copy of ALERTS.md elsewhere. */
export const runbooksTemplate = externalOr('runbooks', runbooksByDefault)

function externalOr(label: string, otherwise: string): string {
  return `{{ with $externalLabels.${label} }}{{ . }}{{ else }}${otherwise}{{ end }}`
}

/** The section of an alert in ALERTS.md. */
export function runbookLink(name: string): string {
  return `${runbooksTemplate}#${name.toLowerCase()}`
}

/** Opens Jaeger at the spans of the cause, in the last two days, which it searches without a start. */
export function tracesLink(name: AlertName): string {
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
