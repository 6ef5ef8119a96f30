import { exitCodes, type Terminal } from '../../commands/command.ts'
import { rules } from '../../doctor/rules/all.ts'
import type { WireRequest } from '../../store/wire.ts'
import { readSpans } from '../../traces/otlp-json.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { otlpLine } from '../otlp-lines.ts'
import { bundlePrograms, type Programs } from '../programs.ts'
import { truthOf } from '../recording.ts'
import { runScene } from '../run-scene.ts'
import type { Scene } from '../scene.ts'
import { type RealResult, resultOf } from './result.ts'
import { ResultsFile } from './results-file.ts'
import { isGood, realTable } from './table.ts'

/** With the stop of its processes a run takes at most three minutes. */
const maxMs = 170_000

export interface RealOptions {
  /** Meshes that run at once. */
  readonly atOnce: number
  /** Runs those again that have a result. */
  readonly again: boolean
  readonly io: Pick<Terminal, 'out' | 'err'>
  readonly signal: AbortSignal
  readonly file?: ResultsFile
  /** By default the scene is run with real processes. */
  readonly run?: (scene: Scene, signal: AbortSignal) => Promise<RealResult>
}

/** Runs scenes with real processes, those without a result of this state of the clone, and prints the table of all. */
export async function runReal(wanted: readonly Scene[], options: RealOptions): Promise<number> {
  const { again, io, signal, file = new ResultsFile() } = options
  const known = again ? [] : await file.read()
  const open = wanted.filter((scene) => !known.some(({ name }) => name === scene.name))
  if (open.length < wanted.length) io.err(`${wanted.length - open.length} have a result in ${file.path}\n`)
  await runOpen(open, { ...options, file })
  const results = await file.read()
  io.out(
    realTable(
      results,
      wanted.map(({ name }) => name),
    ),
  )
  if (signal.aborted) io.err('interrupted: the same command goes on\n')
  const finished = wanted.flatMap((scene) => results.find(({ name }) => name === scene.name) ?? [])
  if (finished.length < wanted.length) return exitCodes.inconclusive
  return finished.every(isGood) ? exitCodes.ok : exitCodes.failure
}

async function runOpen(open: readonly Scene[], options: RealOptions & { readonly file: ResultsFile }): Promise<void> {
  const { atOnce, io, signal, file } = options
  if (open.length === 0) return
  await using programs = options.run === undefined ? await bundlePrograms() : undefined
  const run = options.run ?? ((scene: Scene) => runOnce(scene, programs as Programs, signal))
  const queue = [...open]
  const work = async () => {
    for (let scene = queue.shift(); scene !== undefined && !signal.aborted; scene = queue.shift()) {
      io.err(`${scene.name}: running, ${queue.length} to follow\n`)
      const result = await run(scene, signal)
      // What an interrupt cut short is no result.
      if (signal.aborted) return
      await file.add(result)
      io.err(`${result.name}: ${result.outcome}${result.answer === '' ? '' : `: ${result.answer}`}\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, open.length) }, work))
}

/** One run; it never rejects. */
async function runOnce(scene: Scene, programs: Programs, signal: AbortSignal): Promise<RealResult> {
  const spans: TraceSpan[] = []
  const onRequest = (request: WireRequest) =>
    void spans.push(...readSpans({ result: JSON.parse(otlpLine(request)) }).spans)
  const started = performance.now()
  const resultWith = (rest: Omit<RealResult, 'name' | 'tookMs' | 'at'>): RealResult => ({
    name: scene.name,
    ...rest,
    tookMs: Math.round(performance.now() - started),
    at: new Date().toISOString(),
  })
  try {
    const times = await runScene(scene, { programs, onRequest, signal, maxMs })
    const ended = resultWith({ disease: null, outcome: 'right', answer: '' })
    return { ...ended, ...resultOf(scene, { spans, truth: truthOf(scene, spans, times) }, rules) }
  } catch (error) {
    return resultWith({ disease: scene.truth?.disease ?? null, outcome: 'not planted', answer: String(error) })
  }
}
