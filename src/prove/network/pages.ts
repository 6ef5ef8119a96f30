import { type AlertName, alertNames, alertOf } from '../../catalogue/alerts.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { nameOf, numberOf, spansNamed } from '../evidence.ts'

/** One page that these spans would have caused. */
export interface Page {
  readonly alert: AlertName
  /** Its node, or the first of several. */
  readonly node: string
  readonly spans: number
}

type Spans = readonly ReceivedSpan[]
type Rule = (spans: Spans) => readonly Page[]

const minuteMs = 60_000
const stepMs = 10_000

/**
 * Pages by the spans alone; promtool tests the rules themselves. An alert without a rule below, such as a new one,
 * pages for the first span that it searches for.
 */
export function pagesOf(spans: Spans): Page[] {
  const paging = alertNames.filter((name) => alertOf(name).severity === 'page' && alertOf(name).about === 'mesh')
  return paging.flatMap((alert) => (rules[alert] ?? firstSpan(alert))(spans))
}

const rules: Partial<Record<AlertName, Rule>> = {
  MeshRetryStorm: retryStorm,
  MeshNodeAlone: alone,
  MeshMembersExpiredInBulk: expiredInBulk,
  // For nodes that end without a goodbye: a proof kills them on purpose.
  MeshNodeSilent: () => [],
}

function firstSpan(alert: AlertName): Rule {
  const { search } = alertOf(alert)
  if (typeof search === 'string') throw new Error(`no rule decides when ${alert} pages`)
  return (spans) =>
    [...byNode(spansNamed(spans, search.span))].map(([node, { length }]) => ({ alert, node, spans: length }))
}

/** At least three nodes, and half of all, retry in every minute of two minutes. */
function retryStorm(spans: Spans): Page[] {
  const retries = spansNamed(spans, 'mesh.seed.retry')
  const nodes = new Set(spans.map(nameOf)).size
  const retrying = (at: number) =>
    new Set(retries.filter(({ endMs }) => endMs > at - minuteMs && endMs <= at).map(nameOf)).size
  const storms = longest(retries, (at) => retrying(at) >= Math.max(3, nodes / 2))
  const [first] = retries
  return storms < 2 * minuteMs || first === undefined
    ? []
    : [{ alert: 'MeshRetryStorm', node: nameOf(first), spans: retries.length }]
}

/** A node has no link in any census of two minutes. */
function alone(spans: Spans): Page[] {
  return [...byNode(spansNamed(spans, 'mesh.audit'))].flatMap(([node, audits]) => {
    const last = (at: number) => audits.findLast(({ endMs }) => endMs <= at)
    const without = longest(audits, (at) => {
      const audit = last(at)
      return audit !== undefined && numberOf(audit, 'mesh.audit.links') === 0
    })
    return without < 2 * minuteMs ? [] : [{ alert: 'MeshNodeAlone', node, spans: audits.length } as const]
  })
}

/** A node expires at least three members, and a quarter of all, within two minutes. */
function expiredInBulk(spans: Spans): Page[] {
  const nodes = new Set(spans.map(nameOf)).size
  return [...byNode(spansNamed(spans, 'mesh.member.expired'))].flatMap(([node, expired]) => {
    const most = Math.max(
      ...expired.map(
        ({ endMs }) => expired.filter((one) => one.endMs <= endMs && one.endMs > endMs - 2 * minuteMs).length,
      ),
    )
    return most < Math.max(3, nodes / 4) ? [] : [{ alert: 'MeshMembersExpiredInBulk', node, spans: most } as const]
  })
}

function byNode(spans: Spans): ReadonlyMap<string, Spans> {
  return Map.groupBy(spans, nameOf)
}

/** The longest time for which `holds`, in milliseconds, evaluated every ten seconds from the first span to the last. */
function longest(spans: Spans, holds: (at: number) => boolean): number {
  const times = spans.map(({ endMs }) => endMs)
  let [most, since] = [0, Number.NaN]
  for (let at = Math.min(...times); at <= Math.max(...times) + minuteMs; at += stepMs) {
    if (!holds(at)) since = Number.NaN
    else if (Number.isNaN(since)) since = at
    else most = Math.max(most, at - since)
  }
  return most
}
