import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, equals, type ProofContext } from '../proof.ts'
import { type CommandResult, plainEnvironment, processesIn, root, sh } from '../shell.ts'

export const proof = endToEnd({
  name: 'fresh-clone',
  about:
    'a fresh clone on a machine with Node 20: npm ci && npm test in under 6 minutes, no process left; without install scripts too',
  quick: false,
  seconds: 420,
  async run(context) {
    await using clone = await freshClone(context)
    const { result, figures, checks } = await clone.measure('npm ci && npm test', 360)
    const withoutScripts = await clone.run(
      'rm -rf node_modules && npm ci --ignore-scripts && node src/bin.js --version',
    )
    const counts = Object.fromEntries(
      [...result.output.matchAll(/ℹ (tests|pass|fail|skipped) (\d+)/g)].map(([, what, count]) => [what, Number(count)]),
    )
    const code = withoutScripts.code ?? -1
    const without = equals('npm ci --ignore-scripts, then a command, exits with', 0, code)
    return { figures: { ...figures, ...counts }, checks: [...checks, without] }
  },
})

/** A fresh clone of this checkout, and commands in it with the Node.js of the machine. */
export async function freshClone({ progress, signal }: ProofContext) {
  const temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-clone-'))
  const { path } = temporary
  const run = (command: string, cwd = join(path, 'clone')): Promise<CommandResult> => {
    progress(command)
    return sh(command, cwd, plainEnvironment(), signal)
  }
  const version = (await run('node --version', path)).output.trim()
  await run(`git clone --quiet ${JSON.stringify(root)} clone`, path)
  return {
    run,
    /** Runs a command that must succeed within the limit, on Node 20, and leave no process. */
    async measure(command: string, limitSeconds: number) {
      const result = await run(command)
      const checks: Check[] = [
        equals(`${command} exits with`, 0, result.code ?? -1),
        atMost('it takes', limitSeconds, result.seconds, 's'),
        equals('processes left', 0, processesIn(path).length),
        { what: 'the machine’s Node', want: 'v20', got: version, holds: version.startsWith('v20') || 'not shown' },
      ]
      const tail = result.code === 0 ? '' : result.output.slice(-4_000)
      return { result, figures: { version, seconds: Math.round(result.seconds), tail }, checks }
    },
    [Symbol.asyncDispose]: () => temporary.remove(),
  }
}
