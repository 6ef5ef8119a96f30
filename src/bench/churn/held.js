import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { allTables, findService, namedTables } from './tables.js'

// What the libp2p node of this process holds at rest, for the bench command `held`.

/** Tables that must be found: a version of a library that renames one must not look like an empty table. */
const expected = [
  'gossipsub.peers',
  'gossipsub.streamsInbound',
  'gossipsub.streamsOutbound',
  'gossipsub.topics',
  'gossipsub.mesh',
  'gossipsub.fanout',
  'gossipsub.backoff',
  'gossipsub.outbound',
  'gossipsub.acceptFromWhitelist',
  'gossipsub.score.peerStats',
  'gossipsub.score.peerIPs',
  'gossipsub.gossipTracer.promises',
  'gossipsub.seenCache.entries',
  'connectionManager.connections.map',
  'connectionManager.dialQueue.queue.queue',
  'connectionManager.reconnectQueue.queue.queue',
]

const collections = 6
/** V8's spaces for bytecode and machine code, which are part of `heapUsed`. */
const compiledSpaces = /^(code|trusted)_/
const collectionPauseMs = 30

/** @typedef {import('@libp2p/interface').PeerId} PeerId */

/**
 * The parts of a libp2p node.
 *
 * @typedef {object} Components
 * @property {PeerId} peerId
 * @property {{ getConnections(): { readonly remotePeer: PeerId }[] }} connectionManager
 * @property {unknown} peerStore
 * @property {unknown} registrar
 * @property {unknown} upgrader
 * @property {unknown} addressManager
 * @property {unknown} transportManager
 * @property {unknown} datastore
 */

/**
 * Collects all garbage, then counts. `tables`: by path, and those without a known path that have keys of departed peers.
 */
export async function held() {
  const gossipsub = await findService('@libp2p/gossipsub')
  if (gossipsub === undefined) throw new Error('this process has no gossipsub')
  const tracemesh = await findService('tracemesh')
  await collectGarbage()
  const memory = readMemory()
  /** @type {{ components: Components }} */
  const { components } = gossipsub
  const isDeparted = departedFrom(components)
  const named = namedTables(rootsOf(gossipsub, components), isDeparted)
  const missing = expected.filter((name) => !named.has(name))
  if (missing.length > 0) throw new Error(`libp2p or gossipsub has changed: it has no ${missing.join(', ')}`)
  const known = new Set([...named.values()].flatMap(({ objects }) => [...objects]))
  const others = (await allTables(isDeparted)).filter(({ table }) => !known.has(table))
  /** @param {import('./tables.js').Table} table */
  const count = ({ name, size, departed }) => ({ name, size, departed })
  return {
    connections: components.connectionManager.getConnections().length,
    peers: connectedPeers(components).length,
    tables: [...[...named.values()].filter(({ size }) => size > 0).map(count), ...others.map(count)],
    registries: registriesOf(tracemesh),
    memory,
    handles: countHandles(),
  }
}

/**
 * @param {unknown} gossipsub
 * @param {Components} components
 */
function rootsOf(gossipsub, components) {
  const { connectionManager, peerStore, registrar, upgrader, addressManager, transportManager, datastore } = components
  return { gossipsub, datastore, peerStore, connectionManager, registrar, upgrader, addressManager, transportManager }
}

/** @param {Components} components */
function connectedPeers({ connectionManager }) {
  const peers = connectionManager.getConnections().map(({ remotePeer }) => remotePeer)
  return [...new Map(peers.map((peer) => [peer.toString(), peer])).values()]
}

/**
 * Tests a key of a table: a peer id as text, as an object, or at the end of a path of the datastore.
 *
 * @param {Components} components
 * @returns {(key: any) => boolean}
 */
function departedFrom(components) {
  const here = [components.peerId, ...connectedPeers(components)]
  const present = new Set(here.flatMap((peer) => [peer.toString(), peer.toCID().toString()]))
  const id = /(?:^|\/)(12D3KooW\w{44}|bafz\w{50,})$/
  return (key) => {
    const text = typeof key === 'string' ? key : typeof key?.toMultihash === 'function' ? key.toString() : ''
    const found = id.exec(text)?.[1]
    return found !== undefined && !present.has(found)
  }
}

/** @param {Pick<import('../../kit/service.ts').TracemeshService, 'inventory'> | undefined} tracemesh */
function registriesOf(tracemesh) {
  if (tracemesh === undefined) return []
  return tracemesh.inventory().registries.map(({ name, size, capacity }) => ({ name, size, capacity }))
}

/** Several rounds: a finalizer of one round frees what the next collects. */
async function collectGarbage() {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  for (let i = 0; i < collections; i++) {
    collect()
    await sleep(collectionPauseMs)
  }
}

/**
 * Bytes. `compiled` is the part of `heapUsed` that is code, which grows until V8 has optimized all that runs often;
 * `objects` is the rest of it. `native` is resident memory that V8 does not count: libraries, stacks, the QUIC runtime,
 * malloc.
 */
function readMemory() {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  const compiled = getHeapSpaceStatistics()
    .filter(({ space_name }) => compiledSpaces.test(space_name))
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0)
  const [objects, native] = [heapUsed - compiled, rss - heapTotal - external]
  return { rss, heapUsed, heapTotal, external, compiled, objects, native }
}

/** Open handles and file descriptors by kind; timers too that do not keep the process alive. */
function countHandles() {
  /** @type {Record<string, number>} */
  const counts = {}
  /** @param {string} kind */
  const add = (kind) => {
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  for (const kind of process.getActiveResourcesInfo()) add(kind)
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      add(
        `fd ${readlinkSync(`/proc/self/fd/${fd}`)
          .replace(/:\[\d+\]$/, '')
          .replace(/^\/.*/, 'file')}`,
      )
    } catch {
      // The descriptor of the directory listing itself.
    }
  }
  return counts
}
