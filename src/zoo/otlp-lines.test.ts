import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Wire64, WireRequest } from '../store/wire.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { readSpans } from '../traces/otlp-json.ts'
import { otlpLine } from './otlp-lines.ts'

leakCheck()

const number = (low: number): Wire64 => ({ low, high: 0, unsigned: true })
const none = { attributes: [], dropped_attributes_count: 0 }

test('a request as a line: the reader of OTLP JSON finds the same span', () => {
  const [
    { traceId, spanId, parentSpanId, name, startMs, durationMs, attributes, resource, links, status } = assert.fail(),
  ] = readSpans({ result: JSON.parse(otlpLine(request())) }).spans
  assert.deepEqual(
    { traceId, spanId, parentSpanId, name, startMs, durationMs, links, status },
    {
      traceId: 'ab'.repeat(16),
      spanId: 'cd'.repeat(8),
      parentSpanId: '',
      name: 'mesh.audit',
      startMs: 1,
      durationMs: 2,
      links: [{ traceId: 'ef'.repeat(16), spanId: '01'.repeat(8) }],
      status: 'error',
    },
  )
  assert.deepEqual(
    { ...attributes },
    { 'mesh.seq': 7, 'mesh.list': ['a', 1.5], 'mesh.flag': true, 'mesh.text': 'one "two"' },
  )
  assert.deepEqual({ ...resource }, { 'service.name': 'mesh-a' })
})

function request(): WireRequest {
  const context = { trace_state: '', flags: 0 }
  return {
    resource_spans: [
      {
        resource: { ...none, attributes: [text('service.name', 'mesh-a')] },
        schema_url: '',
        scope_spans: [
          {
            scope: { ...none, name: 'tracemesh', version: '1' },
            schema_url: '',
            spans: [
              {
                ...context,
                trace_id: Buffer.alloc(16, 0xab),
                span_id: Buffer.alloc(8, 0xcd),
                parent_span_id: Buffer.alloc(0),
                name: 'mesh.audit',
                kind: 1,
                start_time_unix_nano: number(1_000_000),
                end_time_unix_nano: number(3_000_000),
                attributes: [
                  { key: 'mesh.seq', value: { value: 'int_value', int_value: number(7) } },
                  { key: 'mesh.list', value: { value: 'array_value', array_value: { values: listed() } } },
                  { key: 'mesh.flag', value: { value: 'bool_value', bool_value: true } },
                  text('mesh.text', 'one "two"'),
                ],
                dropped_attributes_count: 0,
                events: [],
                dropped_events_count: 0,
                links: [{ ...none, ...context, trace_id: Buffer.alloc(16, 0xef), span_id: Buffer.alloc(8, 1) }],
                dropped_links_count: 0,
                status: { code: 2, message: 'failed' },
              },
            ],
          },
        ],
      },
    ],
  }
}

function text(key: string, string_value: string) {
  return { key, value: { value: 'string_value', string_value } } as const
}

function listed() {
  return [
    { value: 'string_value', string_value: 'a' },
    { value: 'double_value', double_value: 1.5 },
  ] as const
}
