import { copyFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { v8Flags } from '../node/v8-flags.ts'
import { bundleCommands } from '../publish/bundle.ts'
import { buildInClone } from '../testing/built-package.ts'
import { type Receiver, startReceiver } from '../testing/otlp/otlp-receiver.ts'
import type { BenchOptions, SideSettings } from './bench.ts'
import { spawnGroup } from './group.ts'
import { bareSide, control, foreignSide, ours, ownSide, reference, type Side, settingsOf, stockSide } from './side.ts'

/** All measured sides, and the receiver for the spans of ours. */
export interface BenchSetup extends AsyncDisposable {
  readonly sides: readonly Side[]
  readonly settings: SideSettings
  /** Notes about the compared sides. Throws if no span arrived: ours was then measured without tracing. */
  notes(): readonly string[]
}

/** Bundles ours and starts a receiver for its spans. `links`: number of links that a mesh node seeks by itself. */
export async function startSetup({ peers, bare }: BenchOptions, links: number): Promise<BenchSetup> {
  const resources = new AsyncDisposableStack()
  try {
    const { directory } = resources.use(await buildInClone(bundleOurs))
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

/** Bundles a mesh node that speaks the bench protocol, like the published commands. */
async function bundleOurs(directory: string): Promise<void> {
  const root = resolve(import.meta.dirname, '../..')
  await bundleCommands(root, join(directory, 'dist/cli'), 'src/bench/our-peer.ts')
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
