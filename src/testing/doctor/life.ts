import type { SpanName } from '../../catalogue/spans.ts'
import type { Coverage, Evidence } from '../../doctor/evidence/evidence.ts'
import { EvidenceFold } from '../../doctor/evidence/fold.ts'
import type { Finding } from '../../doctor/finding.ts'
import type { Rule } from '../../doctor/rule.ts'
import type { TraceSpan } from '../../traces/trace.ts'

type Attributes = TraceSpan['attributes']

/** Unix milliseconds at which every test begins. */
const beginMs = 1_800_000_000_000
const attempts = 10

export interface LifeOptions {
  readonly mesh?: string
  readonly peer?: string
  readonly role?: string
  readonly host?: string
  /** Distinguishes several processes of one name. */
  readonly instance?: string
}

export interface Failed {
  readonly tookS?: number
  readonly stage?: string
  readonly errorType?: string
}

/** The spans of one process as a test of a rule about retries writes them down. Times are seconds. */
export class Life {
  readonly spans: TraceSpan[] = []
  readonly #resource: TraceSpan['resource']
  #campaign = ''

  constructor(node: string, { mesh = 'mesh-a', peer = `peer-${node}`, role = 'compute', ...rest }: LifeOptions = {}) {
    this.#resource = {
      'service.instance.id': rest.instance ?? `instance-${node}`,
      'service.name': mesh,
      'host.id': rest.host ?? `host of ${node}`,
      'mesh.node.name': node,
      'mesh.node.role': role,
      'mesh.peer.self': peer,
    }
  }

  span(name: SpanName, atS: number, attributes: Attributes = {}, tookS = 0): this {
    const seq = this.spans.length + 1
    const id = `${this.#resource['service.instance.id']} ${seq}`
    const isCampaign = name === 'mesh.seed.dial'
    if (isCampaign) this.#campaign = id
    this.spans.push({
      traceId: id,
      spanId: id,
      parentSpanId: isCampaign ? '' : this.#campaign,
      name,
      service: String(this.#resource['service.name']),
      kind: 'internal',
      startMs: beginMs + 1_000 * atS,
      durationMs: 1_000 * tookS,
      attributes: { 'mesh.seq': seq, ...attributes },
      resource: this.#resource,
      scope: { name: 'tracemesh', version: '' },
      links: [],
      status: 'unset',
    })
    return this
  }

  /** A census every 30 s from one time to another; `seeds` as `mesh.audit.seeds` lists them. */
  censuses(fromS: number, toS: number, links: number, seeds?: readonly string[]): this {
    const attributes = {
      'mesh.audit.links': links,
      'mesh.audit.opened_total': links,
      ...(seeds && { 'mesh.audit.seeds': seeds }),
    }
    for (let atS = fromS; atS <= toS; atS += 30) this.span('mesh.audit', atS, attributes)
    return this
  }

  campaign(atS: number, address: string, number = 1, cause = 'start'): this {
    return this.span('mesh.seed.dial', atS, {
      'mesh.seed.address': address,
      'mesh.seed.campaign': number,
      'mesh.seed.cause': cause,
    })
  }

  /** A failed attempt; the tenth is the give-up. */
  failed(
    atS: number,
    address: string,
    attempt: number,
    { tookS = 0, stage = 'dial', errorType = 'TimeoutError' }: Failed = {},
  ): this {
    const attributes = {
      'mesh.seed.address': address,
      'mesh.seed.attempt': attempt,
      'mesh.dial.stage': stage,
      'error.type': errorType,
      'mesh.error.message': 'no answer',
    }
    return this.span(attempt === attempts ? 'mesh.seed.giveup' : 'mesh.seed.retry', atS, attributes, tookS)
  }

  /** A campaign that fails at each attempt, 16 s apart, up to `count`. */
  failing(atS: number, address: string, count: number, failure: Failed = {}): this {
    this.campaign(atS, address)
    for (let attempt = 1; attempt <= count; attempt++) this.failed(atS + 16 * (attempt - 1), address, attempt, failure)
    return this
  }

  reached(atS: number, address: string): this {
    return this.span('mesh.seed.connected', atS, { 'mesh.seed.address': address, 'mesh.peer.id': 'peer-seed' })
  }

  /** Loses a span, as if it never arrived. */
  without(name: SpanName): this {
    this.spans.splice(0, Infinity, ...this.spans.filter((span) => span.name !== name))
    return this
  }
}

/** What a rule finds in some lives, of which every span was asked for. */
export function findIn(rule: Rule, lives: readonly Life[], coverage?: Coverage): readonly Finding[] {
  return rule.find(evidenceOf(lives, coverage))
}

export function evidenceOf(lives: readonly Life[], coverage: Coverage = { complete: true, partial: [] }): Evidence {
  const fold = new EvidenceFold()
  for (const { spans } of lives) for (const span of spans) fold.add(span)
  return fold.evidence(coverage)
}

/** A finding in short: certainty, node and part. */
export function brief({ certainty, owner }: Finding): string {
  return `${certainty} ${owner.node || 'mesh'}: ${owner.part}`
}
