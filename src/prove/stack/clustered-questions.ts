import fastify from 'fastify'
import { traceRoutes } from '../../page/trace-routes.ts'
import type { SpanFeed } from '../../testing/otlp/span-feed.ts'
import type { ClusteredStack } from '../../testing/stack/clustered-stack.ts'
import { TraceReader } from '../../traces/reader.ts'
import { atMost, type Check, equals } from '../proof.ts'

const questionMs = 2_000

/** Asks Jaeger by the reader, and by the reader through the route of the page. */
export async function askQuestions(
  { jaegerUrls: [jaeger = ''] }: ClusteredStack,
  feed: SpanFeed,
): Promise<readonly Check[]> {
  const page = fastify()
  traceRoutes(page, jaeger)
  const url = await page.listen({ host: '127.0.0.1', port: 0 })
  try {
    const checks: Check[] = []
    const [first] = feed.sample
    const opened = feed.sample.find(({ name }) => name === 'mesh.connection.opened')
    const service = 'mesh-a'
    const range = { service, fromMs: (first?.startMs ?? 0) - 1_000, toMs: Date.now() }
    const link = String(opened?.attributes?.['mesh.link.id'])
    for (const [where, reader] of [
      ['Jaeger', new TraceReader(jaeger)],
      ['the page', new TraceReader(url)],
    ] as const) {
      for (const [what, attributes, want] of [
        ['a link', { 'mesh.link.id': link }, opened?.traceId],
        ['no link', { 'mesh.link.id': 'none' }, ''],
      ] as const) {
        const began = performance.now()
        const { traces, partial } = await reader.find({ ...range, attributes })
        const ids = traces.map(({ traceId }) => traceId).join()
        checks.push(equals(`${what}, asked of ${where}`, want ?? '', ids))
        checks.push(equals(`${what}, asked of ${where}, why the result is partial`, '', partial ?? ''))
        checks.push(atMost(`${what}, asked of ${where}, in`, questionMs, performance.now() - began, 'ms'))
      }
    }
    return checks
  } finally {
    await page.close()
  }
}
