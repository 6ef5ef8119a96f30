import { fileURLToPath } from 'node:url'
import { quote } from '../text-formats.ts'
import { type AlertName, alertNames, alertOf, evaluationInterval, timesOf } from './alerts.ts'
import { runbookLink, tracesLink } from './links.ts'
import { durations, indent, type RecordingName } from './promql.ts'
import { recordings, recordingsIn } from './recordings.ts'

interface RuleOptions {
  /** 1: as shipped. 0.1: a tenth of every duration, but not below what the scrape interval allows. */
  readonly timeFactor: number
  /** Only these alerts; all by default. */
  readonly only?: readonly AlertName[]
}

/** The committed rules; `npm run generate` writes them. */
export const rulesPage = fileURLToPath(new URL('../../../otel/rules/mesh.yml', import.meta.url))
/** The same ones as an object of a Prometheus operator. */
export const operatorRulesPage = fileURLToPath(new URL('../../../deploy/k8s/operator/rules.yaml', import.meta.url))

/**
 * Prometheus' rule file. It evaluates alerts of severity `critical` at every scrape, the others less often. Throws
 * RangeError unless 0 < `timeFactor` <= 1.
 */
export function renderRules({ timeFactor, only = alertNames }: RuleOptions): string {
  const d = durations(timeFactor)
  const used = recordingsIn(only.map((name) => alertOf(name).expr(d)).join('\n'), d)
  const groups = (['critical', 'warning'] as const).flatMap((severity) => {
    const names = only.filter((name) => alertOf(name).severity === severity)
    const rules = [
      ...(severity === 'critical' && only === alertNames ? [watchdogRule()] : []),
      ...used.filter((name) => recordings[name].group === severity).map((name) => recording(name, timeFactor)),
      ...names.map((name) => rule(name, timeFactor)),
    ]
    if (rules.length === 0) return []
    return `  - name: mesh-${severity}
    interval: ${evaluationInterval(severity, timeFactor)}
    rules:
${rules.join('\n')}`
  })
  return `# Written by \`npm run generate\` from src/catalogue/alerts/alerts.ts; a test fails when the two differ. Do not edit.
# Meaning and remedy of each alert: otel/ALERTS.md.
groups:
${groups.join('\n')}
`
}

/** The shipped rules as a PrometheusRule. */
export function renderOperatorRules(): string {
  const [, groups = ''] = renderRules({ timeFactor: 1 }).split(/^(?=groups:$)/m)
  return `# Written by \`npm run generate\`: otel/rules/mesh.yml for a Prometheus operator. Do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tracemesh
spec:
${deeper(groups.trimEnd(), 1)}
`
}

function recording(name: RecordingName, timeFactor: number): string {
  const { brief, expr } = recordings[name]
  return deeper([`# ${brief}`, `- record: ${name}`, '  expr: |', deeper(expr(durations(timeFactor)), 2)].join('\n'), 3)
}

function rule(name: AlertName, timeFactor: number): string {
  const { expr, severity, about } = alertOf(name)
  const { forTime, keepFiring } = timesOf(name, timeFactor)
  const times = [
    ...(forTime === undefined ? [] : [`  for: ${forTime}`]),
    ...(keepFiring === undefined ? [] : [`  keep_firing_for: ${keepFiring}`]),
  ]
  return deeper(renderRule(name, expr(durations(timeFactor)), times, { severity, about }, annotationsOf(name)), 3)
}

function renderRule(
  name: string,
  expr: string,
  times: readonly string[],
  { severity, about }: { readonly severity: string; readonly about: string },
  annotations: Readonly<Record<string, string>>,
): string {
  return [
    `- alert: ${name}`,
    '  expr: |',
    deeper(expr, 2),
    ...times,
    `  labels: { severity: ${severity}, about: ${about} }`,
    '  annotations:',
    ...Object.entries(annotations).map(([key, text]) => `    ${key}: ${quote(text)}`),
  ].join('\n')
}

function deeper(text: string, steps: number): string {
  return steps === 0 ? text : deeper(indent(text), steps - 1)
}

/** Annotations of an alert, as templates. */
export function annotationsOf(name: AlertName): Readonly<Record<string, string>> {
  const { summary, meaning, cure } = alertOf(name)
  const description = `${meaning} What to do: ${cure}`
  return { summary, description, runbook_url: runbookLink(name), traces: tracesLink(name) }
}

/** The alert that always fires: a receiver that no longer gets it knows that nobody is watching. */
export const watchdog = {
  name: 'MeshWatchdog',
  labels: { severity: 'none', about: 'pipeline' },
  annotations: {
    summary: 'The alerts of tracemesh are evaluated and delivered',
    description:
      'Fires all the time, so that a service outside notices when it no longer does: Prometheus, Alertmanager or the way to the receiver is broken. What to do: route it to a dead man’s switch, as in otel/alertmanager.yml; it pages no one.',
    runbook_url: runbookLink('MeshWatchdog'),
  },
} as const

function watchdogRule(): string {
  const { name, labels, annotations } = watchdog
  return deeper(renderRule(name, 'vector(1)', [], labels, annotations), 3)
}
