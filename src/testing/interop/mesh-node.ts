import { runUntilStopped } from '../../commands/run-until-stopped.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'
import { reportGossip } from './gossip-reports.ts'

// A node, configured by its environment, that reports its gossip as a guest does, and takes a guest's commands about
// gossip as messages. It publishes past the mesh's own limit of size, as an application's own topic may.
// INTEROP_SWEEP_MS: milliseconds between two sweeps of its peer store.

/** A command for this program; `topic` is a topic of gossipsub. */
export type NodeCommand =
  | { readonly command: 'publish'; readonly topic: string; readonly text: string }
  | { readonly command: 'publish-big'; readonly topic: string; readonly bytes: number }
  | { readonly command: 'scores' }

process.exitCode = await runUntilStopped(async () => {
  const sweepMs = process.env['INTEROP_SWEEP_MS']
  const options = sweepMs === undefined ? {} : { peerStoreSweepMs: Number(sweepMs) }
  const node = await startNode(parseConfig(process.env), options)
  const report = (event: string, fields: object) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
  const gossip = reportGossip(node.peer, node.libp2p.services.pubsub, report)
  const obey = async (command: NodeCommand) => {
    switch (command.command) {
      case 'publish':
        return gossip.publish(command.topic, Buffer.from(command.text))
      case 'publish-big':
        return gossip.publish(command.topic, Buffer.alloc(command.bytes, 'x'))
      case 'scores':
        return gossip.reportScores()
    }
  }
  process.on('message', (command: NodeCommand) => {
    obey(command).catch((error: unknown) => report('failed', { command: command.command, error: String(error) }))
  })
  return {
    stop: async (cause) => {
      gossip.stop()
      await node.stop(cause)
    },
  }
})
