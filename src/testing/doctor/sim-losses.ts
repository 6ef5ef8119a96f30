import type { Random } from '../../core/machine.ts'
import type { TraceSpan } from '../../traces/trace.ts'

/** `ill`: the node whose spans stay. */
type Loss = (spans: readonly TraceSpan[], random: Random, ill: string) => readonly TraceSpan[]

const gapMs = 60_000
/** Twice the difference of clocks that a node tolerates. */
const skewMs = 10_000

/** What may happen to the spans of a run on their way; none of it hides who is ill. */
export const losses = {
  none: (spans) => spans,
  third: (spans, random) => spans.filter(() => random() >= 0.3),
  gap: (spans, random) => {
    const times = spans.map(({ startMs }) => startMs)
    const [fromMs, toMs] = [Math.min(...times), Math.max(...times)]
    const gapAt = fromMs + random() * Math.max(0, toMs - fromMs - gapMs)
    return spans.filter(({ startMs }) => startMs < gapAt || startMs >= gapAt + gapMs)
  },
  silent: (spans, random, ill) => {
    const node = pickNode(
      spans.filter((span) => nodeOf(span) !== ill),
      random,
    )
    return spans.filter((span) => nodeOf(span) !== node)
  },
  skewed: (spans, random) => {
    const node = pickNode(spans, random)
    const ms = random() < 0.5 ? skewMs : -skewMs
    return spans.map((span) => (nodeOf(span) === node ? { ...span, startMs: span.startMs + ms } : span))
  },
} as const satisfies Readonly<Record<string, Loss>>

function pickNode(spans: readonly TraceSpan[], random: Random): unknown {
  const nodes = [...new Set(spans.map(nodeOf))]
  return nodes[Math.floor(random() * nodes.length)]
}

function nodeOf({ resource }: TraceSpan): unknown {
  return resource['mesh.node.name']
}
