import { createSocket } from 'node:dgram'
import { open } from 'node:fs/promises'
import { createServer } from 'node:net'
import { type Plant, retain } from '../plant.ts'
import { componentsOf } from './libp2p.ts'

/** Handles of the operating system and of the event loop that nobody closes. */
export const handlePlants = {
  /** UDP sockets, one per tick. */
  sockets: {
    tick: () =>
      new Promise<void>((resolve) => {
        const socket = createSocket('udp4')
        socket.bind(0, '127.0.0.1', resolve)
        retain(socket)
      }),
  },
  /** A listening socket per peer, freed only when the collector finds it. */
  'sockets-per-peer': {
    join: async () => {
      for (let i = 0; i < 6; i++) await openServer()
    },
  },
  files: { tick: async () => retain(await open(import.meta.filename)) },
  timers: {
    tick: () => {
      for (let i = 0; i < 4; i++) retain(setInterval(() => {}, 3_600_000).unref())
    },
  },
  /** A timer per peer that its end does not clear. */
  'timers-per-peer': {
    join: () => {
      for (let i = 0; i < 12; i++) retain(setTimeout(() => {}, 3_600_000).unref())
    },
  },
  /** Listeners on an event of libp2p, as a service of the application adds them. */
  listeners: {
    tick: ({ libp2p }) => componentsOf(libp2p).events.addEventListener('peer:connect', () => retain(1)),
  },
  /** Listeners on a long-lived abort signal, some per peer. */
  'abort-listeners': {
    join: ({ libp2p }, peer) => {
      const signal = dialSignalOf(libp2p)
      for (let i = 0; i < 4; i++) signal.addEventListener('abort', () => retain(peer.length))
    },
  },
} as const satisfies Readonly<Record<string, Plant>>

/** The signal that ends all dials: it lives as long as libp2p. */
function dialSignalOf(libp2p: object): AbortSignal {
  const { connectionManager } = componentsOf(libp2p) as unknown as Dialling
  return connectionManager.dialQueue.shutDownController.signal
}

interface Dialling {
  readonly connectionManager: { readonly dialQueue: { readonly shutDownController: AbortController } }
}

async function openServer(): Promise<void> {
  const server = createServer()
  retain(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
}
