import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { MeshError } from '../../core/errors.ts'
import { ShapeError } from '../../traces/otlp-json.ts'
import { OtlpLineReader } from '../../traces/otlp-lines.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { linesOf } from './lines.ts'
import { codeOf, openSpans, unreadable } from './open-spans.ts'
import { isWanted, type Reading, type ReadOptions } from './source.ts'

/** The longest line that is read, in bytes: four times the largest request of a node as JSON. */
const maxLineBytes = 32 * 1_048_576
/** Lines between two looks at the clock. */
const linesPerLook = 256
const progressMs = 5_000
/** Meshes that an error names. */
const maxMeshes = 8
/** A line that is cut off at the end of a file which has changed within this time is being written. */
const freshMs = 10_000

/**
 * Reads files of OTLP as JSON, a request per line, as the Collector's file exporter writes them, also compressed; a
 * directory stands for all of them in it. What cannot be read is counted, and the rest is read. The memory is that of the
 * longest line.
 *
 * @throws MESH_SPAN_FILE_UNREADABLE for a file that cannot be opened, MESH_SPANS_ABSENT if no span is of a mesh
 */
export async function readSpanFiles(paths: readonly string[], options: ReadOptions): Promise<Reading> {
  const files = (await Promise.all(paths.map(filesAt))).flat()
  const reader = new SpanFileReader(options)
  for (const file of files) await reader.read(file)
  if (reader.wanted === 0) throw absent(files, reader, options)
  return {
    complete: reader.problems.length === 0,
    partial: reader.problems,
    read: [files.length === 1 ? `${files[0]}` : `${files.length} files: ${files[0]} to ${files.at(-1)}`],
    bytes: reader.bytes,
    requests: 0,
  }
}

/** In the order of their names, which is that of time: the Collector puts the time of rotation into the name. */
async function filesAt(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const names = (await readdir(path)).filter((name) => /\.jsonl?(?:\.gz|\.zst)?$/.test(name)).sort()
    if (names.length === 0) throw unreadable(path, 'the directory has no file *.jsonl, .gz or .zst')
    return names.map((name) => join(path, name))
  } catch (error) {
    throw error instanceof MeshError ? error : unreadable(path, codeOf(error))
  }
}

/** Problems of the files that the error names: they may be why. */
const maxProblems = 3

function absent(files: readonly string[], reader: SpanFileReader, { period, mesh }: ReadOptions): MeshError {
  const { spans, lines, meshSpans, problems } = reader
  const all = `${lines} lines, ${spans} spans`
  const names = reader.meshes.join(', ')
  const times = `from ${timeOf(reader.firstMs)} to ${timeOf(reader.lastMs)}`
  const [found, cure] =
    meshSpans === 0
      ? [`${all}, none of a mesh node`, 'name files that the Collector wrote for nodes of tracemesh']
      : mesh !== undefined && !reader.hasMesh
        ? [`${all}, none of ${mesh} but of ${names}`, 'correct --mesh']
        : [
            `${all} of ${mesh ?? names} ${times}, none from ${timeOf(period.fromMs)} to ${timeOf(period.toMs)}`,
            'give --from, --to or --before that the files have',
          ]
  const where = files.join(', ')
  return new MeshError('MESH_SPANS_ABSENT', {
    where,
    found: [found, ...problems.slice(0, maxProblems)].join('; '),
    cure,
  })
}

function timeOf(ms: number): string {
  return ms === Number.NEGATIVE_INFINITY ? 'the begin' : ms === Number.POSITIVE_INFINITY ? 'the end' : isoOf(ms)
}

/** A span may have a time that no calendar has. */
function isoOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().slice(0, 19) : String(ms)
}

/** What was skipped of one file. */
interface SkipCount {
  count: number
  /** Of the first one. */
  readonly reason: string
}

class SpanFileReader {
  readonly #options: ReadOptions
  readonly #isWanted: (span: TraceSpan) => boolean
  readonly #reader = new OtlpLineReader()
  readonly #problems: string[] = []
  #lookedMs = performance.now()
  bytes = 0
  lines = 0
  spans = 0
  /** Of any mesh and time. */
  meshSpans = 0
  /** Of these, those of the mesh and the period that are asked about. */
  wanted = 0
  firstMs = Number.POSITIVE_INFINITY
  lastMs = Number.NEGATIVE_INFINITY
  readonly #meshes: string[] = []

  constructor(options: ReadOptions) {
    this.#options = options
    this.#isWanted = isWanted(options)
  }

  get problems(): readonly string[] {
    return this.#problems
  }

  /** The first meshes of the files. */
  get meshes(): readonly string[] {
    return this.#meshes.map(printable)
  }

  /** Whether the files have the mesh that is asked about, at any time. */
  hasMesh = false

  async read(file: string): Promise<void> {
    const { signal } = this.#options
    const skipped: Record<string, SkipCount> = {}
    const skip = (what: string, reason: string) => {
      skipped[what] ??= { count: 0, reason }
      skipped[what].count++
    }
    try {
      for await (const line of linesOf(await openSpans(file, signal), maxLineBytes)) {
        if (++this.lines % linesPerLook === 0) this.#look(file)
        if (line.bytes === undefined)
          skip('lines are too long', `${line.length} bytes, at most ${maxLineBytes} are read`)
        else {
          const problem = this.#readLine(line.bytes, skip)
          if (problem === undefined) continue
          if (!line.isLast) skip('lines are no spans in OTLP JSON', problem)
          else if (!(await isFresh(file))) skip('line is cut off at the end', problem)
        }
      }
    } catch (error) {
      // Errors of the file system and of zlib have a code.
      if (signal.aborted || error instanceof MeshError || typeof (error as { code?: unknown }).code !== 'string')
        throw error
      this.#problems.push(`${basename(file)} ends early: ${codeOf(error)}`)
    }
    for (const [what, { count, reason }] of Object.entries(skipped))
      this.#problems.push(`${basename(file)}: ${count} ${what} (${reason})`)
  }

  /** Why a line is not a request; undefined for one. */
  #readLine(line: Buffer, skip: (what: string, reason: string) => void): string | undefined {
    this.bytes += line.byteLength
    try {
      const { spans, unreadable } = this.#reader.read(line)
      for (const reason of unreadable) skip('spans are unreadable', reason)
      for (const span of spans) this.#add(span)
      return undefined
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof ShapeError || error instanceof RangeError)
        return printable(error.message)
      throw error
    }
  }

  #add(span: TraceSpan): void {
    this.spans++
    const isOfMesh = span.resource['mesh.node.name'] !== undefined && span.name.startsWith('mesh.')
    if (isOfMesh) this.#noteMesh(span)
    if (!this.#isWanted(span)) return
    if (isOfMesh) this.wanted++
    this.#options.add(span, false)
  }

  #noteMesh({ service, startMs }: TraceSpan): void {
    const { mesh } = this.#options
    this.meshSpans++
    if (this.#meshes.length < maxMeshes && !this.#meshes.includes(service)) this.#meshes.push(service)
    if (mesh !== undefined && service !== mesh) return
    this.hasMesh = true
    this.firstMs = Math.min(this.firstMs, startMs)
    this.lastMs = Math.max(this.lastMs, startMs)
  }

  #look(file: string): void {
    this.#options.signal.throwIfAborted()
    const now = performance.now()
    if (now - this.#lookedMs < progressMs) return
    this.#lookedMs = now
    this.#options.progress(`${basename(file)}: ${this.spans} spans, ${Math.round(this.bytes / 1e6)} MB`)
  }
}

async function isFresh(file: string): Promise<boolean> {
  return Date.now() - (await stat(file)).mtimeMs < freshMs
}

/** Junk that a message quotes must not reach a terminal. */
function printable(text: string): string {
  return text.replace(/[^ -~]+/g, '?').slice(0, 100)
}
