import { emitSpan } from '../../catalogue/span-effect.ts'
import { runUntilStopped } from '../../commands/run-until-stopped.ts'
import { parseConfig } from '../../node/config.ts'
import { startNode } from '../../node/node.ts'

/**
 * A node that emits extra spans: configured by its environment like `tracemesh node`, while messages of its parent
 * (`process.send`) set how many. `{ perSecond }` from now on, `{ burst }` within one turn of the event loop.
 */

/** A message of the parent. */
export interface SpanLoad {
  readonly perSecond?: number
  readonly burst?: number
}

/** As long as those of real spans, so that memory figures match. */
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
