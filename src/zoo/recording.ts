import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { DiseaseName } from '../doctor/diseases.ts'
import { readSpans } from '../traces/otlp-json.ts'
import type { TraceSpan } from '../traces/trace.ts'
import { commitOfClone } from './commit.ts'
import type { SceneTimes } from './run-scene.ts'
import type { Scene } from './scene.ts'

/** What is true of a recording. */
export interface RecordedTruth {
  /** Null for a run without a disease. */
  readonly disease: DiseaseName | null
  readonly nodes: readonly string[]
  readonly part: string
  /** What else is true of the run, unplanted: to say it is no mistake. */
  readonly also: readonly DiseaseName[]
  readonly startedAtMs: number
  readonly plantedAtMs: number
  readonly endedAtMs: number
  /** Commit of the recorded nodes. */
  readonly commit: string
}

/** What is true of a run of a scene. A busy machine makes nodes stall, as they say themselves. */
export function truthOf({ truth }: Scene, spans: readonly Pick<TraceSpan, 'name'>[], times: SceneTimes): RecordedTruth {
  const { disease = null, nodes = [], part = '', also: planted = [] } = truth ?? {}
  const isStarved = spans.some(({ name }) => name === 'mesh.node.stalled')
  const also: readonly DiseaseName[] = [...planted, ...(isStarved ? (['starved-judge'] as const) : [])]
  return { disease, nodes, part, also, ...times, commit: commitOfClone() }
}

/** The spans of one run of real processes. */
export interface Recording {
  readonly name: string
  readonly truth: RecordedTruth
  readonly spans: readonly TraceSpan[]
}

/** The recordings of the repository. */
export const recordings = join(import.meta.dirname, 'recordings')

export async function recordingNames(directory = recordings): Promise<string[]> {
  const files = await readdir(directory)
  return files.flatMap((file) => /^(.*)\.truth\.json$/.exec(file)?.[1] ?? []).sort()
}

/** @throws Error when a span is unreadable: a recording is as the nodes sent it. */
export async function readRecording(name: string, directory = recordings): Promise<Recording> {
  const truth = JSON.parse(await readFile(join(directory, `${name}.truth.json`), 'utf8')) as RecordedTruth
  const lines = (await readText(join(directory, name))).split('\n').filter((line) => line !== '')
  const spans = lines.flatMap((line) => {
    const { spans, unreadable } = readSpans({ result: JSON.parse(line) })
    if (unreadable.length > 0) throw new Error(`recording ${name}: ${unreadable[0]}`)
    return spans
  })
  return { name, truth, spans }
}

async function readText(path: string): Promise<string> {
  const zstd = await readFile(`${path}.jsonl.zst`).catch(() => undefined)
  return (zstd === undefined ? gunzipSync(await readFile(`${path}.jsonl.gz`)) : zstdDecompressSync(zstd)).toString(
    'utf8',
  )
}
