import { startNetwork } from './network.ts'

// A program that makes a network, says the process ids of its namespaces to whoever started it, and is killed by that.
const network = await startNetwork()
const lan = await network.lan('lan')
const host = await network.host('host')
await host.attach({ interface: 'eth0', lan, addresses: ['45.79.10.1/24'] })
process.send?.(host.pid)
