import { fileURLToPath } from 'node:url'
import { scrapeSeconds, secondsOf } from './alert-durations.ts'
import { annotationsOf, jaegerByDefault, jaegerTemplate } from './alert-rules.ts'
import type { AlertCase, FiredAlert } from './alert-spec.ts'
import { type AlertName, alertNames, alertOf } from './alerts.ts'
import { quoted } from './yaml-text.ts'

/** The committed tests of the rules; not in their folder, where Prometheus would take them for rules. */
export const ruleTestsPage = fileURLToPath(new URL('../../otel/rules-test/mesh.test.yml', import.meta.url))
export const longRuleTestsPage = fileURLToPath(new URL('../../otel/rules-test/mesh-long.test.yml', import.meta.url))

/** Seconds after which a case is a long one: evaluated each minute, since each evaluation is of all rules. */
const longSeconds = 16 * 60

/** What `promtool test rules` runs: cases of alerts, those that are over soon or the long ones. */
export function renderRuleTests(which: 'short' | 'long', names: readonly AlertName[] = alertNames): string {
  const tests = names.flatMap((name) => {
    const cases = alertOf(name).cases.filter((one) => isLong(one) === (which === 'long'))
    return cases.map((one) => test(name, one))
  })
  return `# Written by \`npm run generate\` from src/catalogue/alerts.ts; a test fails when the two differ. Do not edit.
#   promtool test rules otel/rules-test/*.yml
rule_files: [../rules/mesh.yml]
evaluation_interval: ${which === 'long' ? '1m' : `${scrapeSeconds}s`}
tests:
${tests.join('\n')}
`
}

function isLong({ checks }: AlertCase): boolean {
  return checks.some(({ at }) => secondsOfMoment(at) >= longSeconds)
}

/** Of `90s`, `13m` or `2m30s`. */
function secondsOfMoment(at: string): number {
  return at.match(/\d+[smhd]/g)?.reduce((sum, part) => sum + secondsOf(part), 0) ?? Number.NaN
}

function test(name: AlertName, { says, series, checks, jaeger }: AlertCase): string {
  const given = Object.entries(series).map(
    ([key, values]) => `      - series: ${quoted(key)}\n        values: ${quoted(values)}`,
  )
  const expected = checks.map(({ at, fires }) => {
    const head = `      - eval_time: ${at}\n        alertname: ${name}`
    if (fires.length === 0) return `${head}\n        exp_alerts: []`
    return `${head}\n        exp_alerts:\n${fires.map((one) => firedAlert(name, one, jaeger)).join('\n')}`
  })
  return [
    `  - name: ${quoted(`${name}: ${says}`)}`,
    `    interval: ${scrapeSeconds}s`,
    ...(jaeger === undefined ? [] : [`    external_labels: { jaeger: ${quoted(jaeger)} }`]),
    '    input_series:',
    ...given,
    '    alert_rule_test:',
    ...expected,
  ].join('\n')
}

function firedAlert(name: AlertName, fired: FiredAlert, jaeger = jaegerByDefault): string {
  const { severity, about } = alertOf(name)
  const lines = (texts: Readonly<Record<string, string>>) =>
    Object.entries(texts).map(([key, text]) => `              ${key}: ${quoted(text)}`)
  const annotations = Object.entries(annotationsOf(name)).map(([key, text]) => [key, filledIn(text, fired, jaeger)])
  return [
    '          - exp_labels:',
    ...lines({ severity, about, ...fired.labels }),
    '            exp_annotations:',
    ...lines(Object.fromEntries(annotations)),
  ].join('\n')
}

/** What Prometheus makes of the few forms of template that alerts use; a label that is not there is empty. */
export function filledIn(template: string, { labels, value }: FiredAlert, jaeger = jaegerByDefault): string {
  return template
    .replaceAll(jaegerTemplate, jaeger)
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? '')
    .replaceAll('{{ printf "%.0f" $value }}', String(value))
}
