import type { AttributeName } from './attributes.ts'
import { closeReasons } from './bands.ts'
import type { SpanName } from './spans.ts'

/** A predefined trace search. */
export interface Search {
  readonly label: string
  readonly span: SpanName
  /** Attribute values, as strings, that one span must all have. */
  readonly tags?: Readonly<Partial<Record<AttributeName, string>>>
}

/** Searches of an operator, most urgent first. */
export const searches: readonly Search[] = [
  { label: 'Seed give-ups', span: 'mesh.seed.giveup' },
  { label: 'Seed retries', span: 'mesh.seed.retry' },
  { label: 'Failed member dials', span: 'mesh.member.dial_failed' },
  { label: 'Two processes with one identity', span: 'mesh.identity.conflict' },
  { label: 'Blocked paths', span: 'mesh.path.blocked' },
  { label: 'Suspected leaks', span: 'mesh.leak.suspected' },
  { label: 'Suspects older than a day', span: 'mesh.audit.suspect', tags: { 'mesh.connection.age_band': '1d-7d' } },
  { label: 'Suspects older than a week', span: 'mesh.audit.suspect', tags: { 'mesh.connection.age_band': '7d+' } },
  { label: 'Censuses with differing layers', span: 'mesh.audit', tags: { 'mesh.audit.verdict': 'differs' } },
  { label: 'Limits reached', span: 'mesh.limit.reached' },
  { label: 'Expired members', span: 'mesh.member.expired' },
  {
    label: 'Links closed without a goodbye',
    span: 'mesh.connection.closed',
    tags: { 'mesh.close.noticed': 'false' },
  },
  { label: 'Superseded links', span: 'mesh.connection.superseded' },
  { label: 'Stalled nodes', span: 'mesh.node.stalled' },
  { label: 'Skewed clocks', span: 'mesh.clock.skewed' },
  { label: 'Lost spans', span: 'mesh.telemetry.lost' },
  { label: 'Node starts', span: 'mesh.node.started' },
  { label: 'Node stops', span: 'mesh.node.stopped' },
]

/** Reasons without a goodbye: the peer cannot read one, or should not get one. */
const withoutGoodbye: readonly string[] = ['silent', 'bad-frame', 'flooding', 'transport', 'unknown']

/** One search per close reason: for the goodbye, or for the closed connection where the node sends no goodbye. */
export const endings: readonly Search[] = closeReasons.map((reason) =>
  withoutGoodbye.includes(reason)
    ? { label: `Closed: ${reason}`, span: 'mesh.connection.closed', tags: { 'mesh.close.reason': reason } }
    : { label: `Goodbye: ${reason}`, span: 'mesh.goodbye.sent', tags: { 'mesh.goodbye.reason': reason } },
)

/** Search URL of Jaeger 2's page, over all stored spans, newest first. */
export function searchUrl(service: string, { span, tags }: Omit<Search, 'label'>): string {
  // Without a start Jaeger searches two days, whatever the lookback says; its form shows the lookback.
  const query = new URLSearchParams({ service, operation: span, lookback: '7d', start: '1', limit: '100' })
  if (tags !== undefined) query.set('tags', JSON.stringify(tags))
  return `/search?${query}`
}
