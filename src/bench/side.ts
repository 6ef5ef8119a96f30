import { fileURLToPath } from 'node:url'
import { processSettings } from '../launcher.js'
import { v8Flags } from '../node/v8-flags.ts'
import type { BenchOptions } from './bench.ts'
import { completeGraph, earlierNeighbours, type Graph } from './graph.ts'
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
export const control = 'stock-again'
export const ours = 'ours'
/** Stock again, as the launcher of ours would start it: what is left between it and ours is not a matter of settings. */
export const bare = 'bare'

/** How many are measured beside each other. */
export function sideCount({ peers, bare }: BenchOptions): number {
  return peers.length + (bare ? 4 : 3)
}

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

/** Stock with the process settings of ours, whose engine is as calm; not bundled. */
export function bareSide(): Side {
  return {
    name: bare,
    paceMs: stockPaceMs,
    program: (listen) => ({
      command: process.execPath,
      args: [processSettings.flag, ...v8Flags, stockPeer],
      env: { ...plainEnvironment(listen), ...processSettings.env },
    }),
  }
}

/** Flags and variables that the processes of a side have and those of stock have not, for the record. */
export function settingsOf({ program }: Side): readonly string[] {
  const { args, env } = program('')
  const plain = plainEnvironment('')
  const variables = Object.entries(env).filter(([name, value]) => plain[name] !== value)
  return [...args.filter((arg) => arg.startsWith('-')), ...variables.map(([name, value]) => `${name}=${value}`)]
}

/** The node of the published bundle, started as its launcher would; spans go to `otlp`. `links`: how many it looks for. */
export function ownSide(entry: string, otlp: string, links: number): Side {
  return {
    name: ours,
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
export function foreignSide(name: string, commandLine: string): Side {
  const [command = '', ...args] = commandLine.trim().split(/\s+/)
  return { name, paceMs: 0, program: (listen) => ({ command, args, env: plainEnvironment(listen) }) }
}

/** Which earlier nodes each dials to make a complete graph: a mesh node finds the others by itself. */
export function dialsForAll(side: string, nodes: number): Graph {
  return side === ours
    ? completeGraph(nodes).map((_, i) => (i === 0 ? [] : [0]))
    : earlierNeighbours(completeGraph(nodes))
}

/** Without what this process itself was started with: Node.js, its allocator and the QUIC runtime at their defaults. */
function plainEnvironment(listen: string): NodeJS.ProcessEnv {
  const ownVariables = /^(MESH|OTEL|NODE|DEBUG|MALLOC|TOKIO|UV|TRACEMESH)/
  const environment = Object.entries(process.env).filter(([name]) => !ownVariables.test(name))
  return { ...Object.fromEntries(environment), BENCH_LISTEN: listen }
}
