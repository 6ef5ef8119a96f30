import type { Stream } from '@libp2p/interface'
import { terminal } from '../commands/command.ts'
import { flagsOf } from '../commands/node-command.ts'
import { runUntilStopped } from '../commands/run-until-stopped.ts'
import type { Fault } from '../kit/faults.ts'
import { parseConfig } from '../node/config.ts'
import { type RunningNode, startNode } from '../node/node.ts'
import { ActCounter } from './act-count.ts'
import { retain } from './plant.ts'
import { blobProtocol, componentsOf, pingProtocol } from './plants/libp2p.ts'
import { plants } from './plants.ts'

// A node, configured as `tracemesh node` is, that becomes ill at a SIGUSR2, or with ZOO_SINCE=start at its start, as
// ZOO_PLANT says; without it the node stays well. ZOO_FAULTS injects faults of the kit from the start, without the
// setting that would name them in a span.

const tickMs = 250
const talkMs = 5_000
const manyStreams = { maxInboundStreams: 4_096, maxOutboundStreams: 4_096 }
const news = new TextEncoder().encode('news')

const plant = plants[process.env['ZOO_PLANT'] ?? '']
const faults = (process.env['ZOO_FAULTS'] ?? '').split(',').filter((fault) => fault !== '') as Fault[]
const isFromStart = process.env['ZOO_SINCE'] === 'start'
const [, , command, ...args] = process.argv
const counter = new ActCounter()
let isOn = isFromStart || plant?.atStart === true

process.exitCode = await runUntilStopped(async () => {
  const countIfOn = () => {
    if (isOn) counter.add()
    return isOn
  }
  plant?.patch?.(countIfOn, () => isOn)
  const config = parseConfig(process.env, command === 'node' ? flagsOf(args, terminal) : {})
  const node = await startNode({ ...config, faults: unlisted(faults) })
  await node.libp2p.handle(blobProtocol, (stream: Stream) => retain(stream), manyStreams)
  await node.libp2p.handle(pingProtocol, (stream: Stream) => void stream.close().catch(() => {}), manyStreams)
  node.mesh.subscribe('news', () => {})
  const talk = setInterval(() => void node.mesh.publish('news', news).catch(() => {}), talkMs)
  let timer: NodeJS.Timeout | undefined
  const beginOnce = () => {
    isOn = true
    timer ??= fallIll(node)
  }
  process.on('SIGUSR2', beginOnce)
  if (isFromStart) beginOnce()
  return {
    stop: async (cause) => {
      clearInterval(talk)
      clearInterval(timer)
      await node.stop(cause)
      counter.report()
    },
  }
})

/** The node lists its faults with `map`, for a span. */
function unlisted(faults: readonly Fault[]): readonly Fault[] {
  return Object.assign([...faults], { map: () => [] })
}

function fallIll(node: RunningNode): NodeJS.Timeout | undefined {
  if (plant === undefined) return undefined
  if (plant.begin) counter.run(() => plant.begin?.(node))
  const { events } = componentsOf(node.libp2p)
  if (plant.join)
    events.addEventListener('peer:connect', ({ detail }) => counter.run(() => plant.join?.(node, `${detail}`)))
  if (plant.leave)
    events.addEventListener('peer:disconnect', ({ detail }) => counter.run(() => plant.leave?.(node, `${detail}`)))
  let count = 0
  return plant.tick && setInterval(() => counter.run(() => plant.tick?.(node, count++)), tickMs).unref()
}
