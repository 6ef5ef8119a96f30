import { runUntilStopped } from '../../commands/run-until-stopped.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'

// A node, configured by its environment, whose stop has a fault: STOP_FAULT is `hang`, `throw` or `skip`. A service of
// libp2p never stops, fails to, or leaves everything as it is.

process.exitCode = await runUntilStopped(async () => {
  const node = await startNode(parseConfig(process.env))
  const { mesh } = node
  const stop = mesh.stop.bind(mesh)
  switch (process.env['STOP_FAULT']) {
    case 'hang':
      mesh.stop = () => new Promise(() => {})
      break
    case 'throw':
      mesh.stop = async () => {
        await stop()
        throw new Error('planted')
      }
      break
    case 'skip':
      mesh.stop = async () => {}
  }
  return node
})
