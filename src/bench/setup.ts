import { v8Flags } from '../node/v8-flags.ts'
import { type Receiver, startReceiver } from '../testing/otlp-receiver.ts'
import type { BenchOptions, SideSettings } from './bench.ts'
import { spawnGroup } from './group.ts'
import { ourBundle } from './our-bundle.ts'
import { bareSide, control, foreignSide, ours, ownSide, reference, type Side, settingsOf, stockSide } from './side.ts'

/** Everybody that is measured, and where the spans of ours go. */
export interface BenchSetup extends AsyncDisposable {
  readonly sides: readonly Side[]
  readonly settings: SideSettings
  /** What any run has to say of who was compared. Throws when no span arrived: ours was measured without tracing. */
  notes(): readonly string[]
}

/** Bundles ours and starts a receiver for its spans. `links`: how many a mesh node looks for by itself. */
export async function startSetup({ peers, bare }: BenchOptions, links: number): Promise<BenchSetup> {
  const resources = new AsyncDisposableStack()
  try {
    const { entry } = resources.use(await ourBundle())
    const foreign = peers.map(({ name, command }) => foreignSide(name, command))
    // One that cannot be started is better known before the others are measured.
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

/** Those of ours that the node itself sets once it runs are told as well. */
function settingsBySide(sides: readonly Side[]): SideSettings {
  const all = (side: Side) => [...(side.name === ours ? calmFlags : []), ...settingsOf(side)]
  return Object.fromEntries(sides.map((side) => [side.name, all(side)]))
}

function notesOf(settings: SideSettings, spans: number): string[] {
  if (spans === 0) throw new Error('no span of ours arrived: it was measured without tracing')
  const listed = Object.entries(settings).filter(([, list]) => list.length > 0)
  return [
    `ours: tracing on, ${spans} spans arrived at the receiver`,
    'ours against stock is product against product as each is started, not code against code: ours is one bundle and has the settings below and its own of gossipsub; stock is loaded from its packages and has every default',
    ...listed.map(([side, list]) => `${side} is started with ${list.join(' ')}`),
  ]
}
