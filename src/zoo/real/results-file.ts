import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { root } from '../../publish/bundle.ts'
import { rulesHash } from '../rules-hash.ts'
import type { RealResult } from './result.ts'

/** Results of one state of the clone, a line of JSON each, so that an interrupted series of runs goes on. */
export class ResultsFile {
  readonly path: string

  constructor(directory = join(root, '.tracemesh/zoo'), key = stateOfClone()) {
    this.path = join(directory, `real-${key}.jsonl`)
  }

  async add(result: RealResult): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true })
    await appendFile(this.path, `${JSON.stringify(result)}\n`)
  }

  /** The last result of each name, in order of time. A line that an interrupt cut off is no result. */
  async read(): Promise<readonly RealResult[]> {
    const text = await readFile(this.path, 'utf8').catch(() => '')
    const results = text.split('\n').flatMap((line) => resultIn(line))
    return results.filter(({ name }, index) => !results.slice(index + 1).some((later) => later.name === name))
  }
}

function resultIn(line: string): RealResult[] {
  try {
    return [JSON.parse(line) as RealResult]
  } catch {
    return []
  }
}

/** Its commit, a digest of what is not committed, and the hash of the rules. */
function stateOfClone(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 })
  const changes = git('diff', 'HEAD', '--', 'src', 'package-lock.json')
  const digest = changes === '' ? [] : [createHash('sha256').update(changes).digest('hex').slice(0, 8)]
  return [git('rev-parse', '--short=12', 'HEAD').trim(), ...digest, rulesHash()].join('-')
}
