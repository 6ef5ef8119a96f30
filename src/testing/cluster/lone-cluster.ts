import { startCluster } from './cluster.ts'

// A program that starts one node, sends its process id to its parent, and waits to be killed.
const cluster = await startCluster({ receiver: 'none' })
const { pid } = await cluster.node('a', { role: 'seed' })
process.send?.(pid)
