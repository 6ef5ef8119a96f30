import { emitSpan } from '../catalogue/span-effect.ts'
import { runUntilStopped } from '../commands/run-until-stopped.ts'
import { parseConfig } from '../node/config.ts'
import { startNode } from '../node/node.ts'

/**
 * A node that tells more spans than an idle one: configured by its environment like `tracemesh node`, told by message
 * (`process.send` of its parent) how many. `{ perSecond }` from now on, `{ burst }` within one turn of the event loop.
 */

/** What a parent may send. */
export interface SpanLoad {
  readonly perSecond?: number
  readonly burst?: number
}

/** As long as real spans are: the same figures of memory come out of it. */
const attributes = {
  'mesh.bridge.from': 'mesh-a',
  'mesh.bridge.to': 'mesh-b',
  'mesh.bridge.reason': 'seen',
  'mesh.origin.peer': '12D3KooWLoadLoadLoadLoadLoadLoadLoadLoadLoadLoadLoad',
} as const
const tickMs = 100

await runUntilStopped(async () => {
  const { telemetry, stop } = await startNode(parseConfig(process.env))
  let count = 0
  const burst = (spans: number) => {
    for (let i = 0; i < spans; i++) {
      const id = `${attributes['mesh.origin.peer']}/${++count}`
      telemetry.emit(emitSpan('mesh.bridge.dropped', { ...attributes, 'mesh.message.id': id }), undefined)
    }
  }
  let ticking: NodeJS.Timeout | undefined
  process.on('message', ({ perSecond, burst: spans = 0 }: SpanLoad) => {
    burst(spans)
    if (perSecond === undefined) return
    clearInterval(ticking)
    ticking = setInterval(() => burst((perSecond * tickMs) / 1_000), tickMs)
  })
  return {
    stop: (cause) => {
      clearInterval(ticking)
      return stop(cause)
    },
  }
})
