import { startNetwork } from './network.ts'

// A program that creates a network, sends the process id of its host's namespace to its parent, and waits to be killed.
const network = await startNetwork()
const lan = await network.lan('lan')
const host = await network.host('host')
await host.attach({ interface: 'eth0', lan, addresses: ['45.79.10.1/24'] })
process.send?.(host.pid)
