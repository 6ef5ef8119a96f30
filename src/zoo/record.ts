import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import type { Terminal } from '../commands/command.ts'
import { rules } from '../doctor/rules/all.ts'
import type { WireRequest } from '../store/wire.ts'
import { readSpans } from '../traces/otlp-json.ts'
import { otlpLine } from './otlp-lines.ts'
import { bundlePrograms, type Programs } from './programs.ts'
import { type RealResult, resultOf } from './real/result.ts'
import { type RecordedTruth, truthOf } from './recording.ts'
import { runScene } from './run-scene.ts'
import type { Scene } from './scene.ts'
import { findScene, scenes } from './scenes.ts'

interface RecordOptions {
  readonly directory: string
  /** Meshes that run at once. */
  readonly atOnce: number
  readonly io: Pick<Terminal, 'out'>
}

type Recorded = Pick<RealResult, 'outcome' | 'answer'> & { readonly bytes: number }

/** Spans of a process are alike, over megabytes. */
function compress(text: string): Promise<Buffer> {
  const params = {
    [constants.ZSTD_c_compressionLevel]: 19,
    [constants.ZSTD_c_enableLongDistanceMatching]: 1,
    [constants.ZSTD_c_windowLog]: 27,
  }
  // Not in this thread: other scenes are running.
  return promisify(zstdCompress)(text, { params })
}

/** Records scenes; without names all but those from outside the kit. Returns whether each succeeded. */
export async function recordScenes(names: readonly string[], { directory, atOnce, io }: RecordOptions) {
  const queue = names.length === 0 ? scenes.filter(({ truth }) => truth?.isOutside !== true) : names.map(findScene)
  let isComplete = true
  await using programs = await bundlePrograms()
  const work = async () => {
    for (let scene = queue.shift(); scene !== undefined; scene = queue.shift()) {
      try {
        const { bytes, outcome, answer } = await recordScene(scene, programs, directory, new AbortController().signal)
        io.out(`${scene.name}: ${bytes} bytes; ${outcome}: ${answer || 'nothing'}\n`)
      } catch (error) {
        isComplete = false
        io.out(`${scene.name}: ${String(error)}\n`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return isComplete
}

/**
 * Runs a scene and writes its spans, `NAME.jsonl.zst`, and what is true of them, `NAME.truth.json`. Returns what the
 * doctor says of them.
 *
 * @throws Error when something that the scene is about did not happen: that is no recording
 */
export async function recordScene(
  scene: Scene,
  programs: Programs,
  directory: string,
  signal: AbortSignal,
): Promise<Recorded> {
  const lines: string[] = []
  const onRequest = (request: WireRequest) => void lines.push(otlpLine(request))
  const times = await runScene(scene, { programs, onRequest, signal })
  const bytes = await compress(`${lines.join('\n')}\n`)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, `${scene.name}.jsonl.zst`), bytes)
  const spans = lines.flatMap((line) => readSpans({ result: JSON.parse(line) }).spans)
  const truth = truthOf(scene, spans, times)
  await writeFile(join(directory, `${scene.name}.truth.json`), asText(truth))
  return { bytes: bytes.length, ...resultOf(scene, { spans, truth }, rules) }
}

/** JSON with lists in one line, as the formatter writes them. */
function asText(truth: RecordedTruth): string {
  const text = JSON.stringify(truth, null, 2)
  return `${text.replaceAll(/\[\s+([^\]]*?)\s+\]/g, (_, entries: string) => `[${entries.replaceAll(/\s+/g, ' ')}]`)}\n`
}
