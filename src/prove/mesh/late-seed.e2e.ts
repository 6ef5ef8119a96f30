import { startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { runLateSeed } from './late-seed.ts'

export const proof = endToEnd({
  name: 'late-seed',
  about: 'six nodes whose seed starts 20 s late find it and each other, and their traces have no gap',
  quick: false,
  seconds: 80,
  async run(context) {
    await using cluster = await startCluster()
    // Every node begins a second window.
    return await runLateSeed(cluster, { lateMs: 20_000, watchMs: 45_000 }, context)
  },
})
