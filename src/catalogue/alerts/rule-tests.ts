import { fileURLToPath } from 'node:url'
import { quote } from '../text-formats.ts'
import { type AlertName, alertNames, alertOf } from './alerts.ts'
import { jaegerByDefault, jaegerTemplate, runbooksByDefault, runbooksTemplate } from './links.ts'
import { scrapeSeconds, secondsOf } from './promql.ts'
import { annotationsOf, watchdog } from './rules.ts'
import type { AlertCase, FiredAlert } from './spec.ts'

/** The committed tests of the rules; in another folder, since Prometheus loads every file beside the rules. */
export const ruleTestPages = {
  short: pageOf('mesh.test.yml'),
  long: pageOf('mesh-long.test.yml'),
  days: pageOf('mesh-days.test.yml'),
} as const
type Length = keyof typeof ruleTestPages
export const ruleTestLengths = Object.keys(ruleTestPages) as readonly Length[]

/** Shortest duration in seconds of a case of each length, and its evaluation interval (of all rules). */
const lengths: Readonly<Record<Length, { readonly from: number; readonly every: string }>> = {
  short: { from: 0, every: `${scrapeSeconds}s` },
  long: { from: 16 * 60, every: '1m' },
  days: { from: 6 * 3_600, every: '15m' },
}

function pageOf(name: string): string {
  return fileURLToPath(new URL(`../../../otel/rules-test/${name}`, import.meta.url))
}

/** Input of `promtool test rules`: the cases of one length. */
export function renderRuleTests(which: Length, names: readonly AlertName[] = alertNames): string {
  const tests = names.flatMap((name) => {
    const cases = Object.entries(alertOf(name).cases).filter(([, one]) => lengthOf(one) === which)
    return cases.map(([title, one]) => test(name, title, one))
  })
  if (which === 'short' && names === alertNames) tests.unshift(watchdogTest())
  return `# Written by \`npm run generate\` from src/catalogue/alerts/alerts.ts; a test fails when the two differ. Do not edit.
#   promtool test rules otel/rules-test/*.yml
rule_files: [../rules/mesh.yml]
group_eval_order: [mesh-critical, mesh-warning]
evaluation_interval: ${lengths[which].every}
tests:
${tests.join('\n')}
`
}

function lengthOf({ checks }: AlertCase): Length {
  const seconds = Math.max(...Object.keys(checks).map(secondsOfMoment))
  return (['days', 'long'] as const).find((length) => seconds >= lengths[length].from) ?? 'short'
}

/** Seconds of `90s`, `13m` or `2m30s`. */
function secondsOfMoment(at: string): number {
  return at.match(/\d+[smhd]/g)?.reduce((sum, part) => sum + secondsOf(part), 0) ?? Number.NaN
}

function test(name: AlertName, title: string, { series, checks, jaeger }: AlertCase): string {
  const inputSeries = Object.entries(series).map(
    ([key, values]) => `      - series: ${quote(key)}\n        values: ${quote(values)}`,
  )
  const expected = Object.entries(checks).map(([at, fires]) => {
    const head = `      - eval_time: ${at}\n        alertname: ${name}`
    if (fires.length === 0) return `${head}\n        exp_alerts: []`
    return `${head}\n        exp_alerts:\n${fires.map((one) => firedAlert(name, one, jaeger)).join('\n')}`
  })
  return [
    `  - name: ${quote(`${name}: ${title}`)}`,
    `    interval: ${scrapeSeconds}s`,
    ...(jaeger === undefined ? [] : [`    external_labels: { jaeger: ${quote(jaeger)} }`]),
    '    input_series:',
    ...inputSeries,
    '    alert_rule_test:',
    ...expected,
  ].join('\n')
}

/** Without any series. */
function watchdogTest(): string {
  const { name, labels, annotations } = watchdog
  const filled = Object.entries(annotations).map(([key, text]) => [key, filledIn(text, { labels })])
  return [
    `  - name: ${quote(`${name}: always`)}`,
    `    interval: ${scrapeSeconds}s`,
    '    alert_rule_test:',
    `      - eval_time: 10s\n        alertname: ${name}\n        exp_alerts:`,
    expectedAlert(labels, Object.fromEntries(filled)),
  ].join('\n')
}

type Texts = Readonly<Record<string, string>>

function expectedAlert(labels: Texts, annotations: Texts): string {
  const lines = (texts: Texts) => Object.entries(texts).map(([key, text]) => `              ${key}: ${quote(text)}`)
  return ['          - exp_labels:', ...lines(labels), '            exp_annotations:', ...lines(annotations)].join('\n')
}

function firedAlert(name: AlertName, alert: FiredAlert, jaeger = jaegerByDefault): string {
  const { severity, about } = alertOf(name)
  const annotations = Object.entries(annotationsOf(name)).map(([key, text]) => [key, filledIn(text, alert, jaeger)])
  return expectedAlert({ severity, about, ...alert.labels }, Object.fromEntries(annotations))
}

/** Expands the few templates that alerts use like Prometheus; a missing label is empty. */
export function filledIn(template: string, { labels, value }: FiredAlert, jaeger = jaegerByDefault): string {
  return template
    .replaceAll(jaegerTemplate, jaeger)
    .replaceAll(runbooksTemplate, runbooksByDefault)
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? '')
    .replaceAll('{{ printf "%.0f" $value }}', String(value))
}
