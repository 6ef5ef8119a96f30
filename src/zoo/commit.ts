import { execFileSync } from 'node:child_process'

export function commitOfClone(): string {
  return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
}
