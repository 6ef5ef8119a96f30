import { setTimeout as sleep } from 'node:timers/promises'
import { nodeCommand } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { until } from '../../processes/waiting.ts'
import { startCluster } from '../../testing/cluster/cluster.ts'
import { endToEnd } from '../end-to-end.ts'
import type { ProofContext, ProofResult } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { chattyNode } from './chat.ts'
import { promptSpans, topologyOf } from './mesh.ts'
import { type Life, reconnectChecks, reconnectFigures } from './reconnect-checks.ts'

const mesh = 'mesh-a'
const topic = 'chat'
/** Reconnections between two checks of messages both ways. */
const checkEvery = 100
/** Until the node has closed the last connections, which may be silent. */
const afterMs = 15_000
/** Two sweeps of gossipsub's tables, and its grace. */
const sweptMs = 9_000

export const aboutReconnect = (count: number) =>
  `one identity connects ${count} times, half of the old connections silent: one link within 1 s of each, messages both ways, no entry of a new link removed by the end of an old one`

export const proof = endToEnd({
  name: 'reconnect',
  about: aboutReconnect(10_000),
  quick: false,
  seconds: 1_300,
  run: (context) => runReconnect(10_000, context),
})

/** Lets one identity connect again and again, and judges the spans of the node. */
export async function runReconnect(count: number, { progress, signal }: ProofContext): Promise<ProofResult> {
  await using cluster = await startCluster(promptSpans)
  const listen = [cluster.address('hub'), cluster.address('hub').replace('/udp/', '/tcp/').replace('/quic-v1', '')]
  const hub = await chattyNode(cluster)('hub', { role: 'seed', listen })
  const port = String(/\/udp\/(\d+)\//.exec(listen[0] ?? '')?.[1])
  const lives: Life[] = []
  const heardMs: number[] = []
  const heard = new Map<number, string>()
  // The log of the node has a bound, and each connection several lines.
  const collectHeard = () => {
    for (const { heard: message, from } of hub.log)
      if (message !== undefined) heard.set((message as { readonly n: number }).n, String(from))
  }
  let peer = ''
  const onLine = (line: string) => {
    const event = JSON.parse(line)
    if (event.event === 'lives') {
      lives.push(...event.lives)
      collectHeard()
    }
    if (event.event === 'check') {
      heardMs.push(event.heardMs)
      progress(`${event.life} connections, the node heard after ${event.heardMs} ms`)
    }
    if (event.event === 'done') peer = event.peer
  }
  const args = [port, port, mesh, topic, `${count}`, `${checkEvery}`]
  const command = nodeCommand(testProgram('cluster/reconnector.ts'), args)
  const reconnector = new Subprocess({ name: 'the reconnector', command, input: true, onLine })
  try {
    const limitMs = 60_000 + count * 200
    const ended = AbortSignal.any([signal, reconnector.ended])
    await until(() => peer !== '', limitMs, 'all connections', ended)
    await until(async () => (await topologyOf(hub)).peers.length === 0, afterMs, 'no peer is left', signal)
  } finally {
    await reconnector.endInput(5_000)
  }
  await sleep(sweptMs, undefined, { signal })
  collectHeard()
  await hub.stop()
  const outcome = { lives, heardMs, peer, spans: cluster.receiver.spans, heard }
  return { figures: reconnectFigures(outcome), checks: reconnectChecks(outcome) }
}
