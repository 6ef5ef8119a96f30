import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ownPairs, sharedPairs } from '../../store/pairs.ts'
import { recordsOf, type SpanRecord } from '../../store/span-record.ts'
import { createDecoder } from '../../store/wire.ts'
import { readSpans } from '../../traces/otlp-json.ts'
import { damagedRequest, goodAnsweredSpan, oddAnswer, oddRequest, oddSpans } from './odd-otlp.ts'

/** Properties of intake and reader for any input, checked `runs` times each. Throws as fast-check does. */
export const oddOtlpProperties: Readonly<Record<string, (runs: number, seed: number) => void>> = {
  'the intake stores every good span of a request and counts the others; stored spans are searchable and readable': (
    numRuns,
    seed,
  ) => {
    const decode = createDecoder()
    const property = fc.property(oddSpans, (odd) => {
      const { records, refused } = recordsOf(decode(oddRequest(odd)))
      assert.equal(records.filter(({ name }) => name === 'good').length, odd.length + 1)
      assert.equal(records.length + refused, 2 * odd.length + 1)
      for (const record of records) checkUsable(record)
    })
    fc.assert(property, { numRuns, seed })
  },
  'the intake rejects a damaged request or stores its valid spans': (numRuns, seed) => {
    const decode = createDecoder()
    const property = fc.property(damagedRequest, (bytes) => {
      const request = attempt(() => decode(bytes))
      if (request === undefined) return
      for (const record of recordsOf(request).records) checkUsable(record)
    })
    fc.assert(property, { numRuns, seed })
  },
  'the reader finds the good span of an answer beside any others': (numRuns, seed) => {
    const property = fc.property(oddAnswer, (answer) => {
      const { spans } = readSpans(answer)
      assert.ok(spans.some(({ name, spanId }) => name === 'good' && spanId === goodAnsweredSpan.spanId))
    })
    fc.assert(property, { numRuns, seed })
  },
}

/** Uses a span as the store does: searches it, and returns it to the reader. */
function checkUsable(record: SpanRecord): void {
  ownPairs(record)
  sharedPairs(record.origin)
  const { resource, scope } = record.origin
  const spans = [JSON.parse(record.text)]
  const answer = { result: { resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] } }
  assert.deepEqual(readSpans(answer).unreadable, [])
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
