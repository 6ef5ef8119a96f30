import { type Receiver, startReceiver } from '../testing/otlp-receiver.ts'
import type { BenchOptions } from './bench.ts'
import { spawnGroup } from './group.ts'
import { ourBundle } from './our-bundle.ts'
import { again, foreignSide, ownSide, reference, type Side, stockSide } from './side.ts'

/** Everybody that is measured, and where the spans of ours go. */
export interface Cast extends AsyncDisposable {
  readonly sides: readonly Side[]
  /** Spans that have arrived. Throws when there is none: ours would have been measured without tracing. */
  spans(): number
}

/** Bundles ours and starts a receiver for its spans. `links`: how many a mesh node looks for by itself. */
export async function startCast({ peers }: BenchOptions, links: number): Promise<Cast> {
  const resources = new AsyncDisposableStack()
  try {
    const { entry } = resources.use(await ourBundle())
    const foreign = peers.map(({ name, command }) => foreignSide(name, command))
    // One that cannot be started is better known before the others are measured.
    for (const side of foreign) await (await spawnGroup(side, 1))[Symbol.asyncDispose]()
    const receiver: Receiver = await startReceiver()
    resources.defer(() => receiver.close())
    const sides = [stockSide(reference), ownSide(entry, receiver.endpoint, links), ...foreign, stockSide(again)]
    const spans = () => {
      if (receiver.spans.length === 0) throw new Error('no span of ours arrived: it was measured without tracing')
      return receiver.spans.length
    }
    return { sides, spans, [Symbol.asyncDispose]: () => resources.disposeAsync() }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}
