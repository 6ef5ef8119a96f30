import { execFile } from 'node:child_process'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { type StackBinary, stackBinary } from '../../stack/binaries.ts'
import { skipWithout } from '../requirement.ts'

/** What a test of programs gets. */
export interface Tools {
  /** A temporary folder, removed after the test. */
  readonly folder: string
  /** Runs the first program in the folder. `ok` if it exits with 0; `text` is its output. */
  check(...args: readonly string[]): Promise<{ readonly ok: boolean; readonly text: string }>
}

/** A test with programs of the stack; it is skipped when one of them is missing. */
export function programTest(
  title: string,
  programs: readonly StackBinary[],
  run: (tools: Tools, t: TestContext) => void | Promise<void>,
): void {
  test(title, async (t) => {
    const paths: string[] = []
    for (const name of programs) {
      const found = await stackBinary(name)
      if ('missing' in found) return skipWithout(t, name, found.missing)
      paths.push(found.path)
    }
    await using folder = await mkdtempDisposable(join(tmpdir(), 'program-'))
    const check = (...args: readonly string[]) =>
      promisify(execFile)(paths[0] ?? '', args, { cwd: folder.path, timeout: 300_000 }).then(
        ({ stdout, stderr }) => ({ ok: true, text: stdout + stderr }),
        ({ stdout = '', stderr = '', message }: Error & { stdout?: string; stderr?: string }) => ({
          ok: false,
          text: `${stdout}${stderr}` || message,
        }),
      )
    await run({ folder: folder.path, check }, t)
  })
}
