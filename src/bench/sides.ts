import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processSettings } from '../launcher.js'
import { v8Flags } from '../node/v8-flags.ts'
import { bundleCommands, root } from '../publish/bundle.ts'
import { buildInClone } from '../testing/built-package.ts'
import { type Receiver, startReceiver } from '../testing/otlp/otlp-receiver.ts'
import type { BenchOptions, SideSettings } from './bench.ts'
import { completeGraph, earlierNeighbours, type Graph } from './graph.ts'
import { spawnGroup } from './group.ts'
import type { Program } from './peer-process.ts'

/** One of the compared programs. */
export interface Side {
  readonly name: string
  /** The program of a node that listens on this multiaddr. */
  program(listen: string): Program
  /** Milliseconds between two starts. */
  readonly paceMs: number
}

/** The side to compare all others with, and the same again: a difference between these two is noise. */
export const reference = 'stock'
export const control = 'stock-again'
export const ours = 'ours'
/** Stock as our launcher would start it: its difference from ours does not come from process settings. */
export const bare = 'bare'

/** Number of compared sides. */
export function sideCount({ peers, bare }: BenchOptions): number {
  return peers.length + (bare ? 4 : 3)
}

const stockPeer = fileURLToPath(new URL('stock-peer.js', import.meta.url))
/** By default libp2p accepts five connections a second from one host. */
const stockPaceMs = 250

/** js-libp2p and gossipsub without the flags and variables of a mesh node. */
export function stockSide(name: string): Side {
  return {
    name,
    paceMs: stockPaceMs,
    program: (listen) => ({ command: process.execPath, args: [stockPeer], env: plainEnvironment(listen) }),
  }
}

/** Stock with the process settings and V8 flags of ours; not bundled. */
function bareSide(): Side {
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

/** Flags and variables of a side that stock does not have, for the report. */
export function settingsOf({ program }: Side): readonly string[] {
  const { args, env } = program('')
  const plain = plainEnvironment('')
  const variables = Object.entries(env).filter(([name, value]) => plain[name] !== value)
  return [...args.filter((arg) => arg.startsWith('-')), ...variables.map(([name, value]) => `${name}=${value}`)]
}

/** The node of the published bundle, started like its launcher; exports spans to `otlp`. `links`: number it seeks. */
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

/** Another program that speaks the protocol: a command line, split at white space. */
function foreignSide(name: string, commandLine: string): Side {
  const [command = '', ...args] = commandLine.trim().split(/\s+/)
  return { name, paceMs: 0, program: (listen) => ({ command, args, env: plainEnvironment(listen) }) }
}

/** Earlier nodes that each dials to form a complete graph: a mesh node discovers the others by itself. */
export function dialsForAll(side: string, nodes: number): Graph {
  return side === ours
    ? completeGraph(nodes).map((_, i) => (i === 0 ? [] : [0]))
    : earlierNeighbours(completeGraph(nodes))
}

/** This environment without settings of Node.js, its allocator and the QUIC runtime, which stay at their defaults. */
export function plainEnvironment(listen: string): NodeJS.ProcessEnv {
  const ownVariables = /^(MESH|OTEL|NODE|DEBUG|MALLOC|TOKIO|UV|TRACEMESH)/
  const environment = Object.entries(process.env).filter(([name]) => !ownVariables.test(name))
  return { ...Object.fromEntries(environment), BENCH_LISTEN: listen }
}

/** All measured sides, and the receiver for the spans of ours. */
interface BenchSetup extends AsyncDisposable {
  readonly sides: readonly Side[]
  readonly settings: SideSettings
  /** Notes about the compared sides. Throws if no span arrived: ours was then measured without tracing. */
  notes(): readonly string[]
}

/** Bundles ours and starts a receiver for its spans. `links`: number of links that a mesh node seeks by itself. */
export async function startSetup({ peers, bare }: BenchOptions, links: number): Promise<BenchSetup> {
  const resources = new AsyncDisposableStack()
  try {
    const { directory } = resources.use(await buildInClone((directory) => bundleOurs(directory)))
    const entry = join(directory, 'dist/cli/main.js')
    const foreign = peers.map(({ name, command }) => foreignSide(name, command))
    // Fail on a program that does not start before measuring the others.
    for (const side of foreign) await (await spawnGroup(side, 1))[Symbol.asyncDispose]()
    const receiver: Receiver = await startReceiver()
    resources.defer(() => receiver.close())
    const ours = ownSide(entry, receiver.endpoint, links)
    const sides = [stockSide(reference), ours, ...(bare ? [bareSide()] : []), ...foreign, stockSide(control)]
    const settings = settingsBySide(sides)
    const notes = () => notesOf(settings, receiver.spans.length)
    return { sides, settings, notes, [Symbol.asyncDispose]: () => resources.disposeAsync() }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}

/** Bundles a mesh node that speaks the bench protocol, like the published commands. `further`: more programs. */
export async function bundleOurs(directory: string, further: Readonly<Record<string, string>> = {}): Promise<void> {
  await bundleCommands(join(directory, 'dist/cli'), 'src/bench/our-peer.ts', further)
  await copyFile(join(root, 'package.json'), join(directory, 'package.json'))
}

/** Includes the flags that our node sets by itself once it runs. */
function settingsBySide(sides: readonly Side[]): SideSettings {
  const all = (side: Side) => [...(side.name === ours ? v8Flags : []), ...settingsOf(side)]
  return Object.fromEntries(sides.map((side) => [side.name, all(side)]))
}

function notesOf(settings: SideSettings, spans: number): string[] {
  if (spans === 0) throw new Error('no span of ours arrived: tracing was not active')
  const listed = Object.entries(settings).filter(([, list]) => list.length > 0)
  return [
    `ours: tracing on, the receiver got ${spans} spans`,
    'ours against stock compares products as started, not code: ours is one bundle with the settings below and its own gossipsub options; stock loads its packages and has every default',
    ...listed.map(([side, list]) => `${side} is started with ${list.join(' ')}`),
  ]
}
