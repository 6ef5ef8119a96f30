import type { Inventory } from '../core/owner.ts'
import { type Descriptor, listDescriptors } from '../evidence/descriptors.ts'
import type { TimerCounts, TimerGroup, TimerReader } from '../evidence/timers.ts'
import type { StreamInfo } from '../kit/connections/stream-views.ts'

/** What the node knows of its own handles. */
export interface HandleSource {
  streams(): readonly StreamInfo[]
  inventory(): Inventory
  /** Absent where Node.js keeps its timers otherwise. */
  readonly timers: TimerReader | undefined
}

/** What this process holds. Each list has at most `maxRows` entries; `truncated` names those that are longer. */
export interface Handles {
  readonly pid: number
  readonly uptimeSeconds: number
  /** Absent where the system does not list them. */
  readonly descriptors?: readonly Descriptor[]
  readonly timers?: TimerCounts & { readonly groups: readonly TimerGroup[] }
  /** Handles and requests of Node.js that keep the process alive, by type. */
  readonly resources: Readonly<Record<string, number>>
  readonly streams: readonly StreamInfo[]
  readonly registries: Inventory['registries']
  /** Timers, resources and owners, by owner and name. */
  readonly owned: readonly OwnedCount[]
  readonly truncated: Readonly<Record<string, number>>
}

interface OwnedCount {
  readonly owner: string
  readonly kind: string
  readonly name: string
  readonly count: number
}

const maxRows = 1_000

/** Reads the handles of this process; takes some milliseconds. */
export function readHandles(source: HandleSource): Handles {
  const { registries, resources } = source.inventory()
  const { timers } = source
  const truncated: Record<string, number> = {}
  const atMost = <T>(name: string, rows: readonly T[]): readonly T[] => {
    if (rows.length > maxRows) truncated[name] = rows.length
    return rows.slice(0, maxRows)
  }
  const descriptors = listDescriptors()
  const groups = timers?.groups()
  return {
    pid: process.pid,
    uptimeSeconds: Math.round(process.uptime()),
    ...(descriptors && { descriptors: atMost('descriptors', descriptors) }),
    ...(timers && groups && { timers: { ...timers.count(), groups: atMost('timers', groups) } }),
    resources: countBy(process.getActiveResourcesInfo()),
    streams: atMost('streams', source.streams()),
    registries,
    owned: atMost('owned', ownedCounts(resources)),
    truncated,
  }
}

function countBy(names: readonly string[]): Record<string, number> {
  const groups = Map.groupBy(names, (name) => name)
  return Object.fromEntries(Array.from(groups, ([name, all]) => [name, all.length]))
}

function ownedCounts(resources: Inventory['resources']): OwnedCount[] {
  const groups = Map.groupBy(resources, ({ owner, kind, name }) => JSON.stringify([owner, kind, name]))
  const counts = Array.from(groups.values(), (all) => all.slice(0, 1).map((one) => ({ ...one, count: all.length })))
  return counts.flat().sort((a, b) => b.count - a.count)
}

/** The handles as tables for people. */
export function handlesText(handles: Handles): string {
  const { pid, uptimeSeconds, descriptors, timers, resources, streams, registries, owned, truncated } = handles
  const kinds = Object.entries(countBy(descriptors?.map(({ kind }) => kind) ?? []))
  const more = Object.entries(truncated).map(([name, count]) => `${name}: the first ${maxRows} of ${count}`)
  const sections = [
    `pid ${pid}, up ${uptimeSeconds} s`,
    ...more,
    section('descriptors by kind', descriptors && [['KIND', 'COUNT'], ...kinds.map(([kind, count]) => [kind, count])]),
    section(
      'descriptors',
      descriptors && [
        ['FD', 'KIND', 'LOCAL', 'REMOTE', 'STATE'],
        ...descriptors.map(({ fd, kind, target, socket }) => [
          fd,
          kind,
          socket?.local || target,
          socket?.remote ?? '',
          socket?.state ?? '',
        ]),
      ],
    ),
    section(
      timers === undefined
        ? 'timers'
        : `timers: ${timers.referenced} keep the process alive, ${timers.unreferenced} do not`,
      timers && [
        ['COUNT', 'REFERENCED', 'MS', 'FUNCTION'],
        ...timers.groups.map(({ count, referenced, duration, run }) => [count, referenced, duration, run]),
      ],
    ),
    section('handles of Node.js that keep the process alive', [['TYPE', 'COUNT'], ...Object.entries(resources)]),
    section('streams, the oldest first', [
      ['AGE', 'OWNER', 'PROTOCOL', 'DIRECTION', 'STATUS', 'PEER', 'CONNECTION'],
      ...streams.map(({ ageMs, owner, protocol, direction, status, peer, connection }) => [
        `${Math.round(ageMs / 1_000)} s`,
        owner,
        protocol,
        direction,
        status,
        peer,
        connection,
      ]),
    ]),
    section('registries', [
      ['OWNER', 'NAME', 'SIZE', 'CAPACITY', 'ADDED', 'RELEASED', 'OLDEST'],
      ...registries.map(({ owner, name, size, capacity, added, released, oldestMs }) => [
        owner,
        name,
        size,
        capacity,
        added,
        released,
        `${Math.round(oldestMs / 1_000)} s`,
      ]),
    ]),
    section('owned', [
      ['OWNER', 'KIND', 'NAME', 'COUNT'],
      ...owned.map(({ owner, kind, name, count }) => [owner, kind, name, count]),
    ]),
  ]
  return `${sections.join('\n')}\n`
}

type Table = readonly (readonly (string | number)[])[]

/** A title and columns wide enough for their cells; the last column is not padded. */
function section(title: string, rows: Table | undefined): string {
  if (rows === undefined) return `\n${title}\n  unknown on this system`
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => String(row[column] ?? '').length)))
  const lines = rows.map((row) => row.map((cell, column) => String(cell).padEnd(widths[column] ?? 0)).join('  '))
  return [`\n${title}`, ...lines.map((line) => `  ${line.trimEnd()}`)].join('\n')
}
