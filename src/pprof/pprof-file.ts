import type { Runtime } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Function as Fn, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format'

/** A sampled stack, innermost frame first, with one value of each type. */
export interface Stack {
  readonly frames: readonly Runtime.CallFrame[]
  readonly values: readonly number[]
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
