import type { Stream } from '@libp2p/interface'
import { runUntilStopped } from '../commands/run-until-stopped.ts'
import type { Fault } from '../kit/faults.ts'
import { parseConfig } from '../node/config.ts'
import { type RunningNode, startNode } from '../node/node.ts'
import { retain } from './plant.ts'
import { blobProtocol, componentsOf } from './plants/libp2p.ts'
import { plants } from './plants.ts'

// A node, configured by its environment, that becomes ill at a SIGUSR2, as ZOO_PLANT says; without it the node stays
// well. ZOO_FAULTS injects faults of the kit from the start, without the setting that would name them in a span.

const tickMs = 250
const talkMs = 5_000
const news = new TextEncoder().encode('news')

const plant = plants[process.env['ZOO_PLANT'] ?? '']
const faults = (process.env['ZOO_FAULTS'] ?? '').split(',').filter((fault) => fault !== '') as Fault[]
let isOn = plant?.atStart === true

process.exitCode = await runUntilStopped(async () => {
  plant?.patch?.(() => isOn)
  const node = await startNode({ ...parseConfig(process.env), faults: unlisted(faults) })
  await node.libp2p.handle(blobProtocol, (stream: Stream) => retain(stream), {
    maxInboundStreams: 4_096,
    maxOutboundStreams: 4_096,
  })
  node.mesh.subscribe('news', () => {})
  const talk = setInterval(() => void node.mesh.publish('news', news).catch(() => {}), talkMs)
  let timer: NodeJS.Timeout | undefined
  process.on('SIGUSR2', () => {
    isOn = true
    timer ??= fallIll(node)
  })
  return {
    stop: async (cause) => {
      clearInterval(talk)
      clearInterval(timer)
      await node.stop(cause)
    },
  }
})

/** The node lists its faults with `map`, for a span. */
function unlisted(faults: readonly Fault[]): readonly Fault[] {
  return Object.assign([...faults], { map: () => [] })
}

function fallIll(node: RunningNode): NodeJS.Timeout | undefined {
  if (plant === undefined) return undefined
  // A plant may fail, for example without a connection: the node leaks less then.
  const quietly = (act: () => unknown) =>
    void Promise.resolve()
      .then(act)
      .catch(() => {})
  quietly(() => plant.begin?.(node))
  const { events } = componentsOf(node.libp2p)
  events.addEventListener('peer:connect', ({ detail }) => quietly(() => plant.join?.(node, String(detail))))
  events.addEventListener('peer:disconnect', ({ detail }) => quietly(() => plant.leave?.(node, String(detail))))
  let count = 0
  return plant.tick && setInterval(() => quietly(() => plant.tick?.(node, count++)), tickMs).unref()
}
