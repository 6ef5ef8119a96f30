import { fileURLToPath } from 'node:url'
import type { AlertSpec } from './alert-spec.ts'
import { type AlertName, alertNames, alertOf, firesWithinMs } from './alerts.ts'
import { spanAnchor } from './anchors.ts'

/** The committed page for operators; `npm run generate` writes it. */
export const alertsPage = fileURLToPath(new URL('../../otel/ALERTS.md', import.meta.url))

const preamble = `Written by \`npm run generate\` from \`src/catalogue/alerts.ts\`; a test fails when the two differ. Do not edit.

Prometheus evaluates [rules/mesh.yml](rules/mesh.yml) over counts that the Collector makes of spans, so each alert has its
traces. Its annotations say what is wrong (\`summary\`), what to do (\`cure\`), where this page explains it (\`runbook\`), and
open Jaeger at the very search (\`traces\`). Labels: \`severity\` (\`page\` wakes somebody, \`warn\` waits for the morning),
\`about\` (\`mesh\`, or \`pipeline\` for the way of the spans itself), \`mesh_id\`, and \`mesh_node_name\` where it is about a node.`

const practice = `## Being told

Alertmanager groups alerts and shows them at its own page; by default it tells nobody. Give it a receiver in
\`otel/alertmanager.yml\` and restart it:

\`\`\`yaml
receivers:
  - name: operators
    webhook_configs:
      - { url: "https://hooks.example.org/mesh", send_resolved: true }
\`\`\`

E-mail, Slack, PagerDuty and others are in Alertmanager's manual. An address that is a secret is better put into a file of
\`deploy/secrets\`, which git ignores, and named by \`url_file: /etc/alertmanager/secrets/FILE\` (\`api_url_file\`,
\`routing_key_file\`); on Kubernetes the files are the keys of a Secret \`alertmanager\`. Checked and tried in the container:

\`\`\`sh
docker exec tracemesh_alertmanager_1 amtool check-config /etc/alertmanager/alertmanager.yml   # Compose 2: tracemesh-alertmanager-1
docker exec tracemesh_alertmanager_1 amtool --alertmanager.url=http://127.0.0.1:9093 alert add MeshSeedGiveup severity=page
\`\`\`

## What holds others back

- While \`MeshPipelineDown\` fires for the Collector, or \`MeshCollectorRefusing\` for its receiver, all alerts with
  \`about="mesh"\`: they would be made of counts that are missing, or counted twice. Cure the way of the spans first. While only
  Jaeger is away, counts are whole, and nothing is held back.
- \`MeshNodeSilent\` holds back \`MeshPrunerSilent\` and \`MeshNodeAlone\` of the same node.

## Links into Jaeger

They lead to http://127.0.0.1:16686 unless \`JAEGER_URL\` is set in Prometheus' environment, to Jaeger as a browser reaches it.
They search the last two days.

## Times and thresholds

Windows are made for meshes with the default intervals (sweep 5 s, census 30 s). Thresholds are in
\`src/catalogue/alerts-*.ts\`; after a change, \`npm run generate\` writes the rules, their tests and this page.
"Rings within" is the time from the cause until the alert is active in Alertmanager, which then waits 5 s (\`page\`) or 30 s
(\`warn\`) for others to go with it.`

/** ALERTS.md: every alert, what it means and what to do. */
export function renderAlertsPage(): string {
  const rows = alertNames.map((name) => {
    const { severity, about, per } = alertOf(name)
    return `| [${name}](#${name.toLowerCase()}) | ${severity} | ${about} | ${per} | ${durationText(firesWithinMs(name))} |`
  })
  const table = ['| alert | severity | about | one per | rings within |', '| --- | --- | --- | --- | --- |', ...rows]
  return ['# Alerts', preamble, table.join('\n'), practice, ...alertNames.map(section)].join('\n\n').concat('\n')
}

function section(name: AlertName): string {
  const { summary, severity, meaning, cure, search, forTime, keepFiring } = alertOf(name)
  return [
    `## ${name}`,
    `*${readableSummary(summary)}* (${severity})`,
    `**When.** ${codeMarked(meaning)}`,
    `**What to do.** ${codeMarked(cure)}`,
    [
      `- Search: ${searchText(search)}`,
      `- Rings within ${durationText(firesWithinMs(name))} of the cause${forTime === undefined ? '' : `, ${forTime} of them to be sure`}`,
      ...(keepFiring === undefined ? [] : [`- Stays on for ${keepFiring} after its end`]),
    ].join('\n'),
  ].join('\n\n')
}

function searchText(search: AlertSpec['search']): string {
  if (search === 'pipeline') return 'none; its link opens Jaeger'
  return search === 'node' ? 'all that the node tells' : `[\`${search.span}\`](SPANS.md#${spanAnchor(search.span)})`
}

/** A summary for people who read it before it rings: labels by their names. */
function readableSummary(summary: string): string {
  return summary
    .replaceAll('{{ $labels.mesh_id }}', '‹mesh›')
    .replaceAll(/\{\{ \$labels\.(?:mesh_)?(\w+) \}\}/g, (_, label: string) => `‹${label.replace('_name', '')}›`)
    .replaceAll(/\{\{[^}]*\$value \}\}/g, '‹n›')
}

/** Names of spans, attributes, variables and alerts are set as code. */
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
