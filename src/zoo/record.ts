import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import type { Terminal } from '../commands/command.ts'
import { otlpLine } from './otlp-lines.ts'
import { bundlePrograms, type Programs } from './programs.ts'
import type { RecordedTruth } from './recording.ts'
import { runScene } from './run-scene.ts'
import type { Scene } from './scene.ts'
import { findScene, scenes } from './scenes.ts'

interface RecordOptions {
  readonly directory: string
  /** Meshes that run at once. */
  readonly atOnce: number
  readonly io: Pick<Terminal, 'out'>
}

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

/** Records scenes, all of them without names. Returns whether each succeeded. */
export async function recordScenes(names: readonly string[], { directory, atOnce, io }: RecordOptions) {
  const queue = names.length === 0 ? [...scenes] : names.map(findScene)
  let isComplete = true
  await using programs = await bundlePrograms()
  const work = async () => {
    for (let scene = queue.shift(); scene !== undefined; scene = queue.shift()) {
      try {
        io.out(`${scene.name}: ${await recordScene(scene, programs, directory, new AbortController().signal)} bytes\n`)
      } catch (error) {
        isComplete = false
        io.out(`${scene.name}: ${String(error)}\n`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return isComplete
}

/** Runs a scene and writes its spans, `NAME.jsonl.zst`, and what is true of them, `NAME.truth.json`. */
export async function recordScene(
  scene: Scene,
  programs: Programs,
  directory: string,
  signal: AbortSignal,
): Promise<number> {
  const lines: string[] = []
  const times = await runScene(scene, programs, (request) => void lines.push(otlpLine(request)), signal)
  const bytes = await compress(`${lines.join('\n')}\n`)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, `${scene.name}.jsonl.zst`), bytes)
  const { disease = null, nodes = [], part = '' } = scene.truth ?? {}
  const also = alsoTrue(lines)
  const truth: RecordedTruth = { disease, nodes, part, also, ...times, commit: commit() }
  await writeFile(join(directory, `${scene.name}.truth.json`), asText(truth))
  return bytes.length
}

/** JSON with lists in one line, as the formatter writes them. */
function asText(truth: RecordedTruth): string {
  const text = JSON.stringify(truth, null, 2)
  return `${text.replaceAll(/\[\s+([^\]]*?)\s+\]/g, (_, entries: string) => `[${entries.replaceAll(/\s+/g, ' ')}]`)}\n`
}

/** A busy machine makes nodes stall, as they say themselves. */
function alsoTrue(lines: readonly string[]): RecordedTruth['also'] {
  return lines.some((line) => line.includes('"mesh.node.stalled"')) ? ['starved-judge'] : []
}

function commit(): string {
  return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
}
