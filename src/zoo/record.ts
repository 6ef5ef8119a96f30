import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { constants, gzipSync } from 'node:zlib'
import { otlpLine } from './otlp-lines.ts'
import { runScene } from './run-scene.ts'
import type { Scene } from './scene.ts'

/** Runs a scene and writes its spans, `NAME.jsonl.gz`, and what is true of them, `NAME.truth.json`. */
export async function recordScene(scene: Scene, directory: string, signal: AbortSignal): Promise<number> {
  const lines: string[] = []
  const times = await runScene(scene, (request) => void lines.push(otlpLine(request)), signal)
  const bytes = gzipSync(`${lines.join('\n')}\n`, { level: constants.Z_BEST_COMPRESSION })
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, `${scene.name}.jsonl.gz`), bytes)
  const { disease = null, nodes = [], part = '' } = scene.truth ?? {}
  const truth = { disease, nodes, part, ...times, commit: commit() }
  await writeFile(join(directory, `${scene.name}.truth.json`), `${JSON.stringify(truth, null, 2)}\n`)
  return bytes.length
}

function commit(): string {
  return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
}
