import type { Profiler as CpuProfiler, Runtime } from 'node:inspector'
import { Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Function as Fn, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format'
import type { Owner } from '../core/owner.ts'
import { intervalBytes, reserveProfiler, type Stack, sampleHeap } from '../evidence/heap-sampling.ts'

/** Starts a recording; the returned function stops it and returns the result. */
type StartRecording = (session: Session) => Promise<() => Promise<Recording>>

const recorders = { cpu: startCpu, heap: startHeap, allocs: startAllocs } as const satisfies Record<
  string,
  StartRecording
>
export type ProfileKind = keyof typeof recorders

/** Profiles this process with V8's own profilers, one profile at a time: two would measure each other. */
export class Profiler {
  readonly #owner: Owner

  constructor(owner: Owner) {
    this.#owner = owner
  }

  /**
   * Records the next `seconds` as a gzipped pprof file. Rejects with MESH_PROFILE_RUNNING while another profile runs.
   * If `signal` aborts, the profile stops at once, and the promise rejects.
   */
  async take(kind: ProfileKind, seconds: number, signal: AbortSignal): Promise<Uint8Array> {
    const release = reserveProfiler(kind, seconds)
    try {
      const session = new Session()
      // V8 records only with a session: disconnecting ends a profile in every state.
      const disconnect = this.#owner.adopt(`${kind} profile`, () => session.disconnect())
      try {
        session.connect()
        const startMs = Date.now()
        const stop = await recorders[kind](session)
        await sleep(seconds * 1_000, undefined, { signal })
        return await encodePprof(await stop(), startMs, seconds * 1_000)
      } finally {
        await disconnect()
      }
    } finally {
      release()
    }
  }
}

/**
 * Sampling interval in microseconds. A tenth of Go's, since an idle node works for a few milliseconds of each second;
 * measured, it costs 45 ms/s while a profile is taken.
 */
const intervalUs = 1_000

async function startCpu(session: Session): Promise<() => Promise<Recording>> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: intervalUs })
  const before = performance.now()
  await session.post('Profiler.start')
  const startUs = (performance.now() - before) * 1_000
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    return {
      types: [
        ['samples', 'count'],
        ['cpu', 'nanoseconds'],
      ],
      period: intervalUs * 1_000,
      stacks: cpuStacks(profile, startUs),
    }
  }
}

/**
 * Each stack with its number of samples and its time in nanoseconds. The first `startUs` microseconds are left out: to
 * start, V8 walks the heap for all code, and an idle node's profile would show little else.
 */
export function cpuStacks(profile: CpuProfiler.Profile, startUs: number): Stack[] {
  const { nodes, samples = [], timeDeltas = [], startTime, endTime } = profile
  const costs = new Map<number, { count: number; us: number }>()
  let atUs = startTime
  for (const [index, id] of samples.entries()) {
    atUs += timeDeltas[index] ?? 0
    if (atUs < startTime + startUs) continue
    // Until the next sample, which may be late.
    const sampleUs = Math.max(0, timeDeltas[index + 1] ?? endTime - atUs)
    const { count, us: before } = costs.get(id) ?? { count: 0, us: 0 }
    costs.set(id, { count: count + 1, us: before + sampleUs })
  }
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)))
  return nodes.flatMap((node): Stack[] => {
    const cost = costs.get(node.id)
    // Idle time costs no CPU.
    if (cost === undefined || node.callFrame.functionName === '(idle)') return []
    const frames = []
    for (let at: typeof node | undefined = node; at !== undefined; at = parents.get(at.id)) frames.push(at.callFrame)
    // The outermost frame is V8's (root).
    return [{ frames: frames.slice(0, -1), values: [cost.count, cost.us * 1_000] }]
  })
}

async function startHeap(session: Session): Promise<() => Promise<Recording>> {
  const stop = await sampleHeap(session)
  return async () => ({ types: [['inuse_space', 'bytes']], period: intervalBytes, stacks: await stop() })
}

/** All allocations, those that were collected since included: what gives the collector its work. */
async function startAllocs(session: Session): Promise<() => Promise<Recording>> {
  const stop = await sampleHeap(session, true)
  return async () => ({ types: [['alloc_space', 'bytes']], period: intervalBytes, stacks: await stop() })
}

export interface Recording {
  /** Type and unit of each value; readers show the last one first. */
  readonly types: readonly (readonly [type: string, unit: string])[]
  /** Sampling interval in the unit of the last type. */
  readonly period: number
  readonly stacks: readonly Stack[]
}

/** Encodes a gzipped https://github.com/google/pprof/blob/main/proto/profile.proto. */
export async function encodePprof(recording: Recording, startMs: number, durationMs: number): Promise<Uint8Array> {
  const strings = new StringTable()
  const locations = new Map<string, Location>()
  const functions: Fn[] = []

  /** One location per function, not per line: V8's frames have the position of the function only. */
  const locationIdOf = ({ functionName, scriptId, url, lineNumber, columnNumber }: Runtime.CallFrame): number => {
    const key = `${scriptId}:${lineNumber}:${columnNumber}:${functionName}`
    const existing = locations.get(key)
    if (existing !== undefined) return Number(existing.id)
    const id = locations.size + 1
    const filename = url.startsWith('file:') ? fileURLToPath(url) : url
    // V8 counts lines from 0; -1 means no line.
    const line = lineNumber + 1
    const name = strings.dedup(functionName || anonymousName(filename, line, columnNumber + 1))
    functions.push(new Fn({ id, name, systemName: name, filename: strings.dedup(filename), startLine: line }))
    locations.set(key, new Location({ id, line: [new Line({ functionId: id, line })] }))
    return id
  }

  const typeOf = ([type, unit]: readonly [string, string]) =>
    new ValueType({ type: strings.dedup(type), unit: strings.dedup(unit) })
  const sampleType = recording.types.map(typeOf)
  const periodType = sampleType.at(-1)
  const sample = recording.stacks.map(
    ({ frames, values }) => new Sample({ locationId: frames.map(locationIdOf), value: [...values] }),
  )
  const profile = new Profile({
    sampleType,
    sample,
    location: [...locations.values()],
    function: functions,
    stringTable: strings,
    timeNanos: BigInt(startMs) * 1_000_000n,
    durationNanos: BigInt(durationMs) * 1_000_000n,
    ...(periodType && { periodType }),
    period: recording.period,
  })
  return promisify(gzip)(profile.encode())
}

/** Readers add up functions of one name, so an anonymous function is named after its position. */
function anonymousName(filename: string, line: number, column: number): string {
  return `(anonymous ${filename.replace(/^.*[\\/]/, '')}:${line}:${column})`
}
