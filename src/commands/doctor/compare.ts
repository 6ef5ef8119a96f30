import { diseaseOf } from '../../doctor/diseases.ts'
import type { Instance, Witness } from '../../doctor/evidence/instance.ts'
import type { Finding } from '../../doctor/finding.ts'
import type { Examination } from '../../doctor/report/examine.ts'
import { comparison } from './links.ts'
import { keyOf } from './news.ts'
import { ownerText } from './report-text.ts'

/** What is new, gone and unchanged since an earlier period, with a comparison of one node's traces in Jaeger. */
export function compareLines(before: Examination, after: Examination, ui: string): string[] {
  const [old, now] = [before.diagnosis.findings, after.diagnosis.findings]
  const isIn = (all: readonly Finding[]) => (one: Finding) => all.some((other) => keyOf(other) === keyOf(one))
  const rows = [
    ...now.filter((one) => !isIn(old)(one)).map((one) => `new       ${nameOf(one)}`),
    ...old.filter((one) => !isIn(now)(one)).map((one) => `gone      ${nameOf(one)}`),
    ...now.filter(isIn(old)).map((one) => `unchanged ${nameOf(one)}`),
  ]
  const versions = [before, after].map(versionsOf)
  return [
    '',
    `compared with the earlier period (versions ${versions.join(', then ')}):`,
    ...(rows.length === 0 ? ['   nothing in either'] : rows.map((row) => `   ${row}`)),
    ...pairsOf(before, after, now[0]?.owner.node).map(
      ([node, one, other]) => `   compare   a minute of ${node} before and after: ${comparison(ui, one, other)}`,
    ),
  ]
}

function nameOf({ disease, owner }: Finding): string {
  return `${diseaseOf(disease).title}: ${ownerText(owner)}`
}

function versionsOf({ evidence }: Examination): string {
  return [...new Set(evidence.instances.map(({ version }) => version))].sort().join(' and ') || 'unknown'
}

/** The last census of a node in each period: of the first finding, or else of any node that both have. */
function pairsOf(before: Examination, after: Examination, ill: string | undefined): [string, Witness, Witness][] {
  const lastOf = (instances: readonly Instance[], node: string) =>
    instances.findLast((instance) => instance.node === node)?.censuses.at(-1)
  const nodes = [ill, ...after.evidence.instances.map(({ node }) => node)].filter((node) => node !== undefined)
  for (const node of nodes) {
    const [one, other] = [lastOf(before.evidence.instances, node), lastOf(after.evidence.instances, node)]
    if (one !== undefined && other !== undefined && one.traceId !== other.traceId) return [[node, one, other]]
  }
  return []
}
