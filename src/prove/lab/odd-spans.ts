import { exportBytes } from '../../store/otlp-client.ts'

/**
 * Spans of other programs, with contents that ours never have; both stores must return them alike. Each has a duration:
 * Jaeger turns a duration of 0 into a nanosecond and adds a warning to the span, which the store does not.
 */
export function oddExports(atMs: number): Buffer[] {
  const at = (offset: number) => atMs + 1_000 + offset
  const id = (digits: number, number: number) => (0xabc0_0000 + number).toString(16).padStart(digits, '0')
  const trace = (number: number) => ({ traceId: id(32, number), spanId: id(16, number) })
  const other = { 'service.name': 'shop', zone: 'eu' }
  const kinds = [0, 1, 2, 3, 4, 5].map((kind) => ({
    ...trace(kind),
    name: `kind ${kind}`,
    kind,
    startMs: at(kind),
    durationMs: 1 + kind * 100,
  }))
  const values = {
    ...trace(10),
    name: 'values',
    startMs: at(10) + 0.000_5,
    durationMs: 0.25,
    status: 1,
    attributes: {
      text: 'grün "quoted" \\ \u2028',
      empty: '',
      int: -5,
      large: 2 ** 53 - 1,
      double: 0.1,
      yes: true,
      no: false,
      list: ['a', 'b'],
      mixed: [1, 'x', false],
      none: [],
    },
    events: [{ name: 'event', atMs: at(11), attributes: { where: 'inside' } }],
    links: [trace(1)],
  }
  const failed = { ...trace(11), name: 'failed', startMs: at(20), durationMs: 5, status: 2 }
  const child = {
    ...trace(12),
    traceId: failed.traceId,
    parentSpanId: failed.spanId,
    name: 'child',
    startMs: at(21),
    durationMs: 1,
  }
  const across = { ...trace(13), traceId: failed.traceId, name: 'across', startMs: at(22), durationMs: 1 }
  // A clock that was set back: Jaeger turns the duration into a nanosecond and adds a warning.
  const backwards = { ...trace(15), name: 'backwards', startMs: at(30), durationMs: -12 }
  const once = exportBytes(other, [...kinds, values, failed, child])
  return [
    once,
    // A repetition, as by a sender without an answer.
    exportBytes(other, [failed, child]),
    exportBytes({ 'service.name': 'shop-2' }, [across]),
    exportBytes({ 'service.name': odd.backwards }, [backwards]),
    exportBytes({}, [{ ...trace(14), name: 'without service', startMs: at(23), durationMs: 1 }]),
  ]
}

export const odd = {
  services: ['shop', 'shop-2'],
  backwards: 'shop-3',
  values: 0xabc0_000a,
  failed: 0xabc0_000b,
} as const
