import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Subprocess } from '../../processes/subprocess.ts'
import { type Cluster, startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import { startMesh } from '../mesh/mesh.ts'
import { atLeast } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { conservationChecks } from './conservation.ts'

/** Processes that compute without a pause. The load average of a minute follows within two. */
const busyProcesses = 22
const minutes = 3
const load = 20
/** A busy process ends by itself, whatever happens to this one. */
const busyMs = 10 * 60_000
const lives = testProgram('cluster/short-lives.ts')

export const proof = endToEnd({
  name: 'conservation',
  about: 'at a load of 20, with nodes that join, leave and are killed, every census adds up',
  quick: false,
  seconds: 60 * minutes + 60,
  async run({ progress, signal }) {
    await using cluster = await startCluster()
    await startMesh(cluster, 5)
    const churn = await Promise.all(
      ['lives-1', 'lives-2'].map((name) => cluster.node(name, { seeds: [cluster.address('seed')], entry: lives })),
    )
    const program = `const end = Date.now() + ${busyMs}; while (Date.now() < end);`
    const busy = Array.from(
      { length: busyProcesses },
      (_, i) => new Subprocess({ name: `busy ${i}`, command: [process.execPath, '-e', program] }),
    )
    const loads: number[] = []
    let kills = 0
    try {
      for (let minute = 0; minute < minutes; minute++) {
        await sleep(30_000, undefined, { signal })
        kills += await kill(cluster, `node-${minute + 1}`)
        await sleep(30_000, undefined, { signal })
        loads.push(Math.round(loadavg()[0] ?? 0))
        progress(`minute ${minute + 1}: load ${loads.at(-1)}, ${cluster.receiver.spans.length} spans`)
      }
    } finally {
      for (const one of busy) one.signal('SIGKILL')
      await Promise.all(busy.map(({ exited }) => exited))
    }
    const count = churn.flatMap(({ log }) => log.filter((line) => 'lived' in line)).length
    return {
      figures: { loads, 'short lives': count, kills },
      checks: [
        atLeast('load of the last minute', load, loads.at(-1) ?? 0),
        atLeast('members that came and went', 10, count),
        ...conservationChecks(cluster.receiver.spans, 30),
      ],
    }
  },
})

async function kill(cluster: Cluster, name: string): Promise<number> {
  const node = cluster.nodes().find((one) => one.name === name)
  node?.kill()
  await node?.exited
  return 1
}
