// Helia: one node stores blocks, the others fetch each of them over bitswap.
import { randomBytes } from 'node:crypto'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { every, options, peers, serve, watched } from './harness.mjs'

const blockBytes = 65_536
const helia = withBitswap(withLibp2pLight(createHeliaLight(), await options({ services: { identify: identify() } })))
await helia.start()
const libp2p = watched(helia.libp2p)
for (const peer of peers) await libp2p.dial(multiaddr(peer))
let added = 0
let fetched = 0

serve({
  libp2p,
  report: () => ({ added, fetched }),
  stop: () => helia.stop(),
  commands: {
    work: async () => {
      if (peers.length === 0) every(add)
      return {}
    },
    fetch: async ({ cid }) => {
      let bytes = 0
      const block = await helia.blockstore.get(CID.parse(cid), { signal: AbortSignal.timeout(10_000) })
      if (block instanceof Uint8Array) bytes = block.byteLength
      else for await (const part of block) bytes += part.byteLength
      if (bytes === blockBytes) fetched++
      return {}
    },
  },
})

async function add() {
  const block = randomBytes(blockBytes)
  const cid = CID.createV1(raw.code, await sha256.digest(block))
  await helia.blockstore.put(cid, block)
  added++
  process.stdout.write(`${JSON.stringify({ pass: 'fetch', cid: cid.toString() })}\n`)
}
