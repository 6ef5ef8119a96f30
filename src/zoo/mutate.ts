import type { Random } from '../core/machine.ts'
import type { TraceSpan, Value } from '../traces/trace.ts'

// Mutations of recorded spans. None of them writes a symptom: they change when, how large, in what order and how often,
// and what is missing.

type Spans = readonly TraceSpan[]

/** Changes recorded spans as the seed says, a little of everything. */
export function mutate(spans: Spans, random: Random): Spans {
  const stretched = stretchTime(spans, between(random, 0.8, 1.4))
  const sized = scaleMemory(stretched, random)
  const renamed = renameProcesses(sized, random)
  const lossy = loseShare(renamed, between(random, 0, 0.02), random)
  return reorder(duplicate(lossy, between(random, 0, 0.1), random), random)
}

/** A mesh that runs slower or faster. */
export function stretchTime(spans: Spans, factor: number): Spans {
  const fromMs = Math.min(...minMax(spans))
  return spans.map((span) => ({
    ...span,
    startMs: fromMs + (span.startMs - fromMs) * factor,
    durationMs: span.durationMs * factor,
  }))
}

/** Processes of other sizes: memory of each process times a factor, which keeps the shape of its curve. */
export function scaleMemory(spans: Spans, random: Random): Spans {
  const factors = new Map<Value | undefined, number>()
  return spans.map((span) => {
    if (span.name !== 'mesh.audit') return span
    const id = span.resource['service.instance.id']
    const factor = factors.get(id) ?? between(random, 0.8, 1.6)
    factors.set(id, factor)
    const attributes = Object.fromEntries(
      Object.entries(span.attributes).map(([key, value]) => [
        key,
        typeof value === 'number' && isMemory(key) ? value * factor : value,
      ]),
    )
    return { ...span, attributes }
  })
}

function isMemory(key: string): boolean {
  return /^(mesh\.memory\.|process\.memory|nodejs\.memory|v8js\.memory)/.test(key)
}

/** Other ids of processes and traces: the same run on another day. */
export function renameProcesses(spans: Spans, random: Random): Spans {
  const salt = Math.floor(random() * 0xffff)
    .toString(16)
    .padStart(4, '0')
  const resources = new Map<TraceSpan['resource'], TraceSpan['resource']>()
  return spans.map((span) => {
    const resource = resources.get(span.resource) ?? {
      ...span.resource,
      'service.instance.id': `${salt}${String(span.resource['service.instance.id']).slice(4)}`,
    }
    resources.set(span.resource, resource)
    return { ...span, resource }
  })
}

/** Spans that came late: batches of a few spans in another order. */
export function reorder(spans: Spans, random: Random): Spans {
  const batch = 1 + Math.floor(random() * 200)
  const batches = Array.from({ length: Math.ceil(spans.length / batch) }, (_, index) => ({
    at: index + random() * 20,
    spans: spans.slice(index * batch, (index + 1) * batch),
  }))
  return batches.toSorted((a, b) => a.at - b.at).flatMap((one) => one.spans)
}

/** Spans that an exporter sent twice. */
export function duplicate(spans: Spans, share: number, random: Random): Spans {
  return spans.flatMap((span) => (random() < share ? [span, span] : [span]))
}

/** Spans that never arrived, at random. */
export function loseShare(spans: Spans, share: number, random: Random): Spans {
  return spans.filter(() => random() >= share)
}

/** Nothing arrived for a while. */
export function loseGap(spans: Spans, gapMs: number, random: Random): Spans {
  const [fromMs, toMs] = minMax(spans)
  const atMs = between(random, fromMs, Math.max(fromMs, toMs - gapMs))
  return spans.filter(({ startMs, durationMs }) => {
    const endMs = startMs + durationMs
    return endMs < atMs || endMs > atMs + gapMs
  })
}

/** Nothing of one process arrived; `spared` are the names of nodes that it does not silence. */
export function silenceOne(spans: Spans, spared: readonly string[], random: Random): Spans {
  const others = [...new Set(spans.map(({ resource }) => String(resource['mesh.node.name'])))].filter(
    (name) => !spared.includes(name) && /^node-/.test(name),
  )
  const silent = others[Math.floor(random() * others.length)]
  return spans.filter(({ resource }) => resource['mesh.node.name'] !== silent)
}

/** The clocks of some nodes differ from the others'. */
export function skewClocks(spans: Spans, skewMs: number, random: Random): Spans {
  const skews = new Map<Value | undefined, number>()
  return spans.map((span) => {
    const host = span.resource['mesh.node.name']
    const skew = skews.get(host) ?? (random() - 0.5) * 2 * skewMs
    skews.set(host, skew)
    return { ...span, startMs: span.startMs + skew }
  })
}

/** Another mesh at the same time, whose spans the receiver has as well. */
export function beside(spans: Spans, other: Spans): Spans {
  const [fromMs] = minMax(spans)
  const [otherMs] = minMax(other)
  const moved = other.map((span) => ({ ...span, service: 'mesh-b', startMs: span.startMs - otherMs + fromMs }))
  return [...spans, ...moved]
}

function minMax(spans: Spans): [number, number] {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { startMs, durationMs } of spans) {
    from = Math.min(from, startMs)
    to = Math.max(to, startMs + durationMs)
  }
  return [from, to]
}

export function between(random: Random, from: number, to: number): number {
  return from + random() * (to - from)
}
