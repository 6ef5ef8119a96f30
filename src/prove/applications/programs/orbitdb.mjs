// OrbitDB on Helia: both write into one database, and each has all entries at the end.
import { bitswap } from '@helia/block-brokers'
import { libp2pRouting } from '@helia/routers'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createOrbitDB, IPFSAccessController } from '@orbitdb/core'
import { createHelia } from 'helia'
import { every, index, node, peers, serve } from './harness.mjs'

const libp2p = await node({
  services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
})
for (const peer of peers) await libp2p.dial(multiaddr(peer))
const helia = await createHelia({ libp2p, blockBrokers: [bitswap()], routers: [libp2pRouting(libp2p)] })
const orbitdb = await createOrbitDB({ ipfs: helia, id: `writer-${index}`, directory: `./orbitdb-${process.pid}` })
let database
let added = 0

const open = async (name) => {
  database = await orbitdb.open(name, { AccessController: IPFSAccessController({ write: ['*'] }) })
  return { address: database.address }
}
const first = index === 0 ? await open('guestbook') : {}

serve({
  libp2p,
  ready: first,
  report: async () => ({ added, entries: database === undefined ? 0 : (await database.all()).length }),
  stop: async () => {
    await database?.close()
    await orbitdb.stop()
    await helia.stop()
  },
  commands: {
    open: ({ address }) => open(address),
    work: async () => {
      every(async (count) => {
        await database.add(`${index} writes ${count}`)
        added++
      })
      return {}
    },
  },
})
