import { fileURLToPath } from 'node:url'
import { processSettings } from '../launcher.js'
import { completeGraph, earlier, type Graph } from './graph.ts'
import type { Program } from './peer-process.ts'

/** One of those that are measured beside each other. */
export interface Side {
  readonly name: string
  /** The program of a node that is to listen at this multiaddr. */
  program(listen: string): Program
  /** Between two starts, in milliseconds. */
  readonly paceMs: number
}

/** The side that all others are compared with, and the same once more: what differs between these two is noise. */
export const reference = 'stock'
export const again = 'stock-again'
export const own = 'ours'

const stockPeer = fileURLToPath(new URL('stock-peer.js', import.meta.url))
/** By default libp2p takes five connections a second from one host. */
const stockPaceMs = 250

/** js-libp2p and gossipsub with no flag and no variable that a mesh node would get. */
export function stockSide(name: string): Side {
  return {
    name,
    paceMs: stockPaceMs,
    program: (listen) => ({ command: process.execPath, args: [stockPeer], env: plainEnvironment(listen) }),
  }
}

/** The node of the published bundle, started as its launcher would; spans go to `otlp`. `links`: how many it looks for. */
export function ownSide(entry: string, otlp: string, links: number): Side {
  return {
    name: own,
    paceMs: 0,
    program: (listen) => ({
      command: process.execPath,
      args: [processSettings.flag, '--disable-warning=ExperimentalWarning', entry],
      env: {
        ...plainEnvironment(listen),
        ...processSettings.env,
        MESH_OTLP: otlp,
        MESH_NEIGHBOURS: `${links}`,
      },
    }),
  }
}

/** A program of somebody else's that speaks the protocol: words, parted by white space. */
export function foreignSide(name: string, words: string): Side {
  const [command = '', ...args] = words.trim().split(/\s+/)
  return { name, paceMs: 0, program: (listen) => ({ command, args, env: plainEnvironment(listen) }) }
}

/** Which earlier nodes each dials to make a complete graph: a mesh node finds the others by itself. */
export function dialsForAll(side: string, nodes: number): Graph {
  return side === own ? completeGraph(nodes).map((_, i) => (i === 0 ? [] : [0])) : earlier(completeGraph(nodes))
}

/** Without what this process itself was started with: Node.js, its allocator and the QUIC runtime at their defaults. */
function plainEnvironment(listen: string): NodeJS.ProcessEnv {
  const ours = /^(MESH|OTEL|NODE|DEBUG|MALLOC|TOKIO|UV|TRACEMESH)/
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name))
  return { ...Object.fromEntries(kept), BENCH_LISTEN: listen }
}
