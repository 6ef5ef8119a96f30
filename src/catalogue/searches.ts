import { type AttributeName, closeReasons } from './attributes.ts'
import type { SpanName } from './spans.ts'

/** A question that is asked of traces often enough to be ready. */
export interface Search {
  readonly label: string
  readonly span: SpanName
  /** All of them, as texts, on one span. */
  readonly tags?: Readonly<Partial<Record<AttributeName, string>>>
}

/** What an operator looks for at night, the most alarming first. */
export const searches: readonly Search[] = [
  { label: 'Gave up a seed', span: 'mesh.seed.giveup' },
  { label: 'Retried a seed', span: 'mesh.seed.retry' },
  { label: 'Failed dials of members', span: 'mesh.member.dial_failed' },
  { label: 'Two processes with one identity', span: 'mesh.identity.conflict' },
  { label: 'Blocked paths', span: 'mesh.path.blocked' },
  { label: 'Suspected leaks', span: 'mesh.leak.suspected' },
  { label: 'Suspects older than a day', span: 'mesh.audit.suspect', tags: { 'mesh.connection.age_band': '1d-7d' } },
  { label: 'Suspects older than a week', span: 'mesh.audit.suspect', tags: { 'mesh.connection.age_band': '7d+' } },
  { label: 'Censuses whose layers differ', span: 'mesh.audit', tags: { 'mesh.audit.verdict': 'differs' } },
  { label: 'Limits reached', span: 'mesh.limit.reached' },
  { label: 'Members that expired', span: 'mesh.member.expired' },
  {
    label: 'Links closed without a goodbye',
    span: 'mesh.connection.closed',
    tags: { 'mesh.close.noticed': 'false' },
  },
  { label: 'Links that were superseded', span: 'mesh.connection.superseded' },
  { label: 'Nodes that stalled', span: 'mesh.node.stalled' },
  { label: 'Clocks that are off', span: 'mesh.clock.skewed' },
  { label: 'Spans that were lost', span: 'mesh.telemetry.lost' },
  { label: 'Starts of nodes', span: 'mesh.node.started' },
  { label: 'Stops of nodes', span: 'mesh.node.stopped' },
]

/** Nobody is told: there is nobody to read it, or nobody who is worth it. */
const withoutGoodbye: readonly string[] = ['silent', 'bad-frame', 'flooding', 'transport', 'unknown']

/** Why links were ended, a search for each reason: of the goodbye, or of the end where none is said. */
export const endings: readonly Search[] = closeReasons.map((reason) =>
  withoutGoodbye.includes(reason)
    ? { label: `Closed: ${reason}`, span: 'mesh.connection.closed', tags: { 'mesh.close.reason': reason } }
    : { label: `Goodbye: ${reason}`, span: 'mesh.goodbye.sent', tags: { 'mesh.goodbye.reason': reason } },
)

/** Where Jaeger 2's page answers a search: all that it has kept, newest first. */
export function searchUrl(service: string, { span, tags }: Search): string {
  // Without a start Jaeger looks two days back, whatever the look-back says; that is what its form then shows.
  const query = new URLSearchParams({ service, operation: span, lookback: '7d', start: '1', limit: '100' })
  if (tags !== undefined) query.set('tags', JSON.stringify(tags))
  return `/search?${query}`
}
