import { fileURLToPath } from 'node:url'
import { spanAnchor } from '../span-index.ts'
import { type AlertName, alertNames, alertOf, firesWithinMs } from './alerts.ts'
import type { AlertSpec } from './spec.ts'

/** The committed page for operators; `npm run generate` writes it. */
export const alertsPage = fileURLToPath(new URL('../../../otel/ALERTS.md', import.meta.url))

const preamble = `Written by \`npm run generate\` from \`src/catalogue/alerts/alerts.ts\`; a test fails when the two differ. Do not edit.

Prometheus evaluates [rules/mesh.yml](rules/mesh.yml) over span metrics of the Collector, so each alert has its traces. Its
annotations are the problem (\`summary\`), when it fires and what to do (\`description\`), the section of this page
(\`runbook_url\`) and a link to the matching Jaeger search (\`traces\`). Labels: \`severity\` (\`critical\` needs action now,
\`warning\` can wait until morning),
\`about\` (\`mesh\`, or \`pipeline\` for the export of spans), \`mesh_id\`, and \`mesh_node_name\` for alerts about a node.`

const practice = `## Notifications

Alertmanager groups alerts and shows them on its own page; by default it sends no notifications. Add a receiver to
\`otel/alertmanager.yml\` and restart it:

\`\`\`yaml
receivers:
  - name: operators
    webhook_configs:
      - { url: "https://hooks.example.org/mesh", send_resolved: true }
\`\`\`

Alertmanager's manual describes e-mail, Slack, PagerDuty and others. Put a secret address into a file in
\`deploy/secrets\`, which git ignores, and refer to it by \`url_file: /etc/alertmanager/secrets/FILE\` (\`api_url_file\`,
\`routing_key_file\`); on Kubernetes the files are the keys of a Secret \`alertmanager\`. Check and try it in the container:

\`\`\`sh
docker exec tracemesh_alertmanager_1 amtool check-config /etc/alertmanager/alertmanager.yml   # Compose 2: tracemesh-alertmanager-1
docker exec tracemesh_alertmanager_1 amtool --alertmanager.url=http://127.0.0.1:9093 alert add MeshSeedGiveup severity=critical
\`\`\`

## Inhibition

\`MeshNodeSilent\` inhibits \`MeshPrunerSilent\` and \`MeshNodeAlone\` of the same node. No alert about the pipeline inhibits
an alert about the mesh. Instead each rule leaves out what a broken pipeline can falsify; the column "made of" says it:

- *events* are exact counts. A refused span is counted later, once: the alert may be late, and nothing holds it back.
- *numbers* are gauges and rates. A rate leaves out spans that arrive more than a minute late, after a longer refusal or
  outage of the Collector, since they did not happen at that rate; then it counts on.
- *silence* is held back while there may be spans that nobody has counted: until two scrapes after the last refusal, as long
  as spans wait at the Collector's door, and two minutes after an outage of it, which nodes take to connect again and emit
  a census. A target that Prometheus no longer has is an outage, too. What was silent before fires on.

Where each mesh has a Collector of its own, label the targets of that with its \`mesh_id\`: then both hold for that mesh alone.

Rules about the pipeline select the jobs \`mesh-*\` of \`otel/prometheus.yml\`: keep these names in a Prometheus of your own.

## MeshWatchdog

One alert more, \`MeshWatchdog\` (severity \`none\`), fires all the time. Alertmanager routes it to the receiver \`watchdog\`,
which notifies no one until it has the webhook of a dead man's switch: a service that calls you when it hears nothing.

## Links

Those into Jaeger lead to http://127.0.0.1:16686, or to \`JAEGER_URL\` in Prometheus' environment, the URL of Jaeger for a
browser, and search the last two days. Those to this page lead to its repository, or to \`RUNBOOKS_URL\`, a copy of it.

## Times and thresholds

Windows fit meshes with the default intervals (sweep 5 s, census 30 s). Thresholds are in \`src/catalogue/alerts/\`;
after a change, \`npm run generate\` writes the rules, their tests and this page. "Fires within" is the time from the cause
until the alert is active in Alertmanager, which then waits 5 s (\`critical\`) or 30 s (\`warning\`) to group it with others.`

/** Markdown links to the pages of the diseases that set off an alert. */
export type DiseaseLinks = Readonly<Partial<Record<AlertName, readonly string[]>>>

/** ALERTS.md: every alert, its meaning and its remedy. */
export function renderAlertsPage(diseases: DiseaseLinks = {}): string {
  const rows = alertNames.map((name) => {
    const { severity, about, basis, per } = alertOf(name)
    return `| [${name}](#${name.toLowerCase()}) | ${severity} | ${about} | ${basis} | ${per} | ${durationText(firesWithinMs(name))} |`
  })
  const table = [
    '| alert | severity | about | made of | one per | fires within |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ]
  return ['# Alerts', preamble, table.join('\n'), practice, ...alertNames.map((name) => section(name, diseases[name]))]
    .join('\n\n')
    .concat('\n')
}

function section(name: AlertName, diseases: readonly string[] = []): string {
  const { summary, severity, meaning, cure, search, forTime, keepFiring } = alertOf(name)
  return [
    `## ${name}`,
    `*${readableSummary(summary)}* (${severity})`,
    `**When.** ${codeMarked(meaning)}`,
    `**What to do.** ${codeMarked(cure)}`,
    [
      `- Search: ${searchText(search)}`,
      `- Fires within ${durationText(firesWithinMs(name))} of the cause${forTime === undefined ? '' : `; pending for ${forTime} of it`}`,
      ...(diseases.length === 0 ? [] : [`- What the doctor may name: ${diseases.join(', ')}`]),
      ...(keepFiring === undefined ? [] : [`- Keeps firing for ${keepFiring} after its end`]),
    ].join('\n'),
  ].join('\n\n')
}

function searchText(search: AlertSpec['search']): string {
  if (search === 'pipeline') return 'none; its link opens Jaeger'
  return search === 'node' ? 'all spans of the node' : `[\`${search.span}\`](SPANS.md#${spanAnchor(search.span)})`
}

/** A summary with the names of labels in place of their values. */
function readableSummary(summary: string): string {
  return summary
    .replaceAll('{{ $labels.mesh_id }}', '‹mesh›')
    .replaceAll(/\{\{ \$labels\.(?:mesh_)?(\w+) \}\}/g, (_, label: string) => `‹${label.replace('_name', '')}›`)
    .replaceAll(/\{\{[^}]*\$value \}\}/g, '‹n›')
}

/** Marks names of spans, attributes, variables and alerts as code. */
function codeMarked(text: string): string {
  return text.replaceAll(
    /\b(?:(?:mesh|process|error)\.[a-z0-9_.*]*[a-z0-9_*]|[A-Z]+(?:_[A-Z]+)+|Mesh[A-Z]\w+)/g,
    '`$&`',
  )
}

function durationText(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)]
  const parts = [
    [hours, 'h'],
    [minutes, 'min'],
    [seconds % 60, 's'],
  ] as const
  return parts.flatMap(([count, unit]) => (count > 0 ? [`${count} ${unit}`] : [])).join(' ')
}
