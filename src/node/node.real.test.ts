import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runLateSeed } from '../prove/mesh/late-seed.ts'
import { verdictOf } from '../prove/proof.ts'
import { startCluster } from '../testing/cluster.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

test('six processes find each other over QUIC, and their spans at a receiver tell how', async (t) => {
  await using cluster = await startCluster()
  // Longer than one attempt: a dial over QUIC to where nobody listens yet is answered by silence.
  const options = { lateMs: 12_000, watchMs: 6_000 }
  const { checks, figures } = await runLateSeed(cluster, options, { progress: (text) => t.diagnostic(text) })
  const failed = checks.filter(({ holds }) => holds !== true)
  assert.equal(verdictOf(checks), 'holds', JSON.stringify({ failed, figures }, null, 2))
})
