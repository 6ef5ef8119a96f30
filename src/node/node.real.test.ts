import { test } from 'node:test'
import { testChecks } from '../prove/end-to-end.ts'
import { runLateSeed } from '../prove/mesh/late-seed.e2e.ts'
import { startCluster } from '../testing/cluster/cluster.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

test('six processes with a late seed: all join over QUIC, and the receiver has the spans of it', async (t) => {
  await using cluster = await startCluster()
  // Longer than one attempt: a QUIC dial to a port without a listener gets no answer.
  const options = { lateMs: 12_000, watchMs: 6_000 }
  const { checks, figures } = await runLateSeed(cluster, options, { progress: (text) => t.diagnostic(text) })
  t.diagnostic(JSON.stringify(figures))
  await testChecks(t, checks)
})
