import type { Instance } from '../evidence/instance.ts'
import { type CountedGrowth, growthIn } from './counted-growth.ts'
import { pointsOf, riseIn } from './growth.ts'
import { growthUntilLimit } from './stream-limits.ts'
import { thresholds } from './thresholds.ts'

export const protocolList = 'mesh.audit.protocols '
/** Part of the rise that is half closed where the end that accepted the streams does not close them. */
const halfClosedPart = 0.5

/** Streams of one protocol and direction that grow at one process. */
export interface GrownStreams {
  readonly instance: Instance
  readonly protocol: string
  readonly direction: 'in' | 'out'
  readonly found: CountedGrowth
}

/** The growing streams of one protocol of a mesh, by whose they are. */
export interface ProtocolGrowth {
  readonly protocol: string
  /** The end that opens them; if most are half closed, the end that accepts them, since the other end has finished. */
  readonly owners: readonly GrownStreams[]
  /** No end that opens them grows. */
  readonly isAcceptedOnly: boolean
}

/** Both ends count a stream. */
export function protocolGrowths(instances: readonly Instance[]): readonly ProtocolGrowth[] {
  const byProtocol = Map.groupBy(
    instances.flatMap(grownStreams),
    ({ instance, protocol }) => `${instance.mesh} ${protocol}`,
  )
  return [...byProtocol.values()].map((all) => {
    const opened = all.filter(({ direction }) => direction === 'out')
    const accepted = all.filter(({ direction }) => direction === 'in')
    const handlerLeaks = accepted.length > 0 && accepted.every(isHalfClosed)
    return {
      protocol: all[0]?.protocol ?? '',
      owners: opened.length === 0 || handlerLeaks ? accepted : opened,
      isAcceptedOnly: opened.length === 0 && !handlerLeaks,
    }
  })
}

function grownStreams(instance: Instance): GrownStreams[] {
  return instance.seriesOf(protocolList).flatMap(([key]): GrownStreams[] => {
    const [protocol = '', direction = ''] = key.slice(protocolList.length).split(' ')
    if (direction !== 'in' && direction !== 'out') return []
    const found = growthUntilLimit(instance, key) ?? growthIn(instance, { key, isLine: true, ...thresholds.streams })
    return found === undefined ? [] : [{ instance, protocol, direction, found }]
  })
}

function isHalfClosed({ instance, protocol, found: { points, rise } }: GrownStreams): boolean {
  const halfClosed = pointsOf(instance, `${protocolList}${protocol} half_closed`, 'none')
  const riseOf = (counts: typeof points) => riseIn(counts, rise.since.atMs, rise.last.atMs)
  return riseOf(halfClosed) >= halfClosedPart * riseOf(points)
}
