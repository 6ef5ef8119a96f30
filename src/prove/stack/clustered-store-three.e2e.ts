import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../processes/waiting.ts'
import type { ClusteredStack } from '../../testing/stack/clustered-stack.ts'
import { openSearchApi } from '../../testing/stack/opensearch-api.ts'
import { endToEnd } from '../end-to-end.ts'
import { runFaults, type StoreFault } from './clustered-faults.ts'
import { askQuestions } from './clustered-questions.ts'
import { fromEnv } from './on-stack.ts'

/** AWAY_SECONDS makes the longest outage shorter, and the others with it. */
const awayMs = 1_000 * fromEnv('AWAY_SECONDS', 140)
const kills = 5

export const proof = endToEnd({
  name: 'clustered-store-three',
  about:
    'the clustered overlay, three nodes of OpenSearch and two Jaegers: killed, stopped and full while spans arrive; no span is missing, hardly any is there twice',
  quick: false,
  seconds: 420 + (3 * awayMs) / 1_000,
  run: (context) =>
    runFaults(context, {
      nodes: 3,
      jaegers: 2,
      rate: 300,
      faults: [oneKilled, allStopped, full, jaegersKilled, allKilled],
      afterwards: askQuestions,
    }),
})

const oneKilled: StoreFault = {
  name: 'one of three killed, and back',
  run: async ({ store: [first] }) => {
    await first?.end('SIGKILL')
    await sleep(awayMs / 3)
    await first?.start()
  },
}

const endAll = async ({ store }: ClusteredStack, signal: 'SIGTERM' | 'SIGKILL', ms: number) => {
  await Promise.all(store.map((node) => node.end(signal)))
  await sleep(ms)
  await Promise.all(store.map((node) => node.start()))
}

const allStopped: StoreFault = {
  name: 'all three stopped',
  run: (stack) => endAll(stack, 'SIGTERM', awayMs * 0.7),
}

const allKilled: StoreFault = {
  name: 'all three killed',
  run: (stack) => endAll(stack, 'SIGKILL', awayMs),
}

/** Some times ten seconds, after which it looks at the disks again. */
const blockedMs = 90_000
const watermark = 'cluster.routing.allocation.disk.watermark'

/** Free space that no disk has. OpenSearch looks at the disks every ten seconds. */
const full: StoreFault = {
  name: 'flood stage of the disks',
  run: async ({ storeUrl }) => {
    const api = openSearchApi(storeUrl)
    const flooded = { low: '900tb', high: '800tb', flood_stage: '700tb' }
    const set = (value: (key: keyof typeof flooded) => string | null) =>
      api.setCluster({
        'cluster.info.update.interval': '10s',
        ...Object.fromEntries(
          (['low', 'high', 'flood_stage'] as const).map((key) => [`${watermark}.${key}`, value(key)]),
        ),
      })
    await set((key) => flooded[key])
    await until(api.isBlocked, blockedMs, 'OpenSearch refuses writes')
    await sleep(awayMs / 3)
    await set(() => null)
    await until(async () => !(await api.isBlocked()), blockedMs, 'OpenSearch takes writes again')
  },
}

const jaegersKilled: StoreFault = {
  name: `a Jaeger killed ${kills} times, the other stopped`,
  run: async ({ jaegers: [first, second] }) => {
    for (let kill = 0; kill < kills; kill++) {
      await first?.end('SIGKILL')
      await sleep(2_000)
      await first?.start()
      await sleep(3_000 + Math.random() * 1_000)
    }
    await second?.end('SIGTERM')
    await second?.start()
  },
}
