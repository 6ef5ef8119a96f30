import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, equals } from '../proof.ts'
import { plainEnvironment, processesIn, root, sh } from '../shell.ts'

const limitSeconds = 360

export const proof = endToEnd({
  name: 'fresh-clone',
  about:
    'a fresh clone on a machine with Node 20: npm ci && npm test in under 6 minutes, no process left; without install scripts too',
  quick: false,
  seconds: 420,
  async run({ progress, signal }) {
    const directory = await mkdtemp(join(tmpdir(), 'tracemesh-clone-'))
    const clone = join(directory, 'clone')
    const env = plainEnvironment()
    const run = async (command: string, cwd = clone) => {
      progress(command)
      return sh(command, cwd, env, signal)
    }
    try {
      const version = (await run('node --version', directory)).output.trim()
      await run(`git clone --quiet ${JSON.stringify(root)} clone`, directory)
      const tested = await run('npm ci && npm test')
      const remaining = processesIn(directory)
      const withoutScripts = await run('rm -rf node_modules && npm ci --ignore-scripts && node src/bin.js --version')
      const counts = Object.fromEntries(
        [...tested.output.matchAll(/ℹ (tests|pass|fail|skipped) (\d+)/g)].map(([, what, count]) => [
          what,
          Number(count),
        ]),
      )
      const checks: Check[] = [
        equals('npm ci && npm test exits with', 0, tested.code ?? -1),
        atMost('it takes', limitSeconds, tested.seconds, 's'),
        equals('processes left', 0, remaining.length),
        equals('npm ci --ignore-scripts, then a command, exits with', 0, withoutScripts.code ?? -1),
        { what: 'the machine’s Node', want: 'v20', got: version, holds: version.startsWith('v20') || 'not shown' },
      ]
      const tail = tested.code === 0 ? '' : tested.output.slice(-4_000)
      return { figures: { version, seconds: Math.round(tested.seconds), ...counts, tail }, checks }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  },
})
