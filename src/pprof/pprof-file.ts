import type { Runtime } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Function as Fn, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format'

/** A stack that was seen, innermost first, and a value of each type. */
export interface Stack {
  readonly frames: readonly Runtime.CallFrame[]
  readonly values: readonly number[]
}

export interface Recorded {
  /** Type and unit of each value; the last is what a reader shows first. */
  readonly types: readonly (readonly [type: string, unit: string])[]
  /** Between two samples, in the unit of the last type. */
  readonly period: number
  readonly stacks: readonly Stack[]
}

/** A gzipped file of https://github.com/google/pprof/blob/main/proto/profile.proto. */
export async function pprofFile(recorded: Recorded, beganMs: number, durationMs: number): Promise<Uint8Array> {
  const strings = new StringTable()
  const locations = new Map<string, Location>()
  const functions: Fn[] = []

  /** Of one function, not of a line in it: V8 tells a stack by its functions. */
  const locate = ({ functionName, scriptId, url, lineNumber, columnNumber }: Runtime.CallFrame): number => {
    const key = `${scriptId}:${lineNumber}:${columnNumber}:${functionName}`
    const known = locations.get(key)
    if (known !== undefined) return Number(known.id)
    const id = locations.size + 1
    const filename = url.startsWith('file:') ? fileURLToPath(url) : url
    // V8 counts lines from 0, and -1 stands for none.
    const line = lineNumber + 1
    const name = strings.dedup(functionName || anonymous(filename, line, columnNumber + 1))
    functions.push(new Fn({ id, name, systemName: name, filename: strings.dedup(filename), startLine: line }))
    locations.set(key, new Location({ id, line: [new Line({ functionId: id, line })] }))
    return id
  }

  const typeOf = ([type, unit]: readonly [string, string]) =>
    new ValueType({ type: strings.dedup(type), unit: strings.dedup(unit) })
  const sampleType = recorded.types.map(typeOf)
  const periodType = sampleType.at(-1)
  const sample = recorded.stacks.map(
    ({ frames, values }) => new Sample({ locationId: frames.map(locate), value: [...values] }),
  )
  const profile = new Profile({
    sampleType,
    sample,
    location: [...locations.values()],
    function: functions,
    stringTable: strings,
    timeNanos: BigInt(beganMs) * 1_000_000n,
    durationNanos: BigInt(durationMs) * 1_000_000n,
    ...(periodType && { periodType }),
    period: recorded.period,
  })
  return promisify(gzip)(profile.encode())
}

/** Readers add up what has the same name, so one without a name is called by its place. */
function anonymous(filename: string, line: number, column: number): string {
  return `(anonymous ${filename.replace(/^.*[\\/]/, '')}:${line}:${column})`
}
