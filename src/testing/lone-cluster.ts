import { startCluster } from './cluster.ts'

// A program that starts one node, says its process id to whoever started it, and is then killed by that.
const cluster = await startCluster({ receiver: 'none' })
const { pid } = await cluster.node('a', { role: 'seed' })
process.send?.(pid)
