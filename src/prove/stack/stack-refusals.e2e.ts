import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endToEnd } from '../end-to-end.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { sh } from '../shell.ts'
import { cloneWithChanges } from './clone.ts'
import { composeCommand, stackEnvironment } from './compose.ts'
import { remainingObjects } from './containers.ts'
import { checkInterrupt } from './interrupt.ts'
import { type Refusal, refusals } from './refusals.ts'

export const proof = endToEnd({
  name: 'stack-refusals',
  about:
    'deploy/start.sh names each fault and its cure: ports, Docker, settings, files, images, memory; interrupted, it leaves no container and no network',
  quick: false,
  seconds: 180,
  async run(context) {
    const compose = await composeCommand('v1', context.signal)
    if ('missing' in compose) {
      context.progress(`NOT SHOWN: ${compose.missing}`)
      return { figures: {}, checks: [{ what: 'Compose', want: 'present', got: compose.missing, holds: 'not shown' }] }
    }
    const directory = await mkdtemp(join(tmpdir(), 'tracemesh-refusals-'))
    const occupied = createServer().listen(0, '127.0.0.1')
    await once(occupied, 'listening')
    const { port } = occupied.address() as { port: number }
    try {
      const clone = await cloneWithChanges(directory, context.signal)
      const checks: Check[] = []
      for (const refusal of refusals(port, await withoutDocker(directory))) {
        context.progress(refusal.what)
        checks.push(...(await checkRefusal(refusal, clone, compose.command, context)))
      }
      context.progress('interrupted while it waits')
      checks.push(...(await checkInterrupt(clone, compose.command, context)))
      return { figures: { compose: compose.command }, checks }
    } finally {
      occupied.close()
      await rm(directory, { recursive: true, force: true })
    }
  },
})

async function checkRefusal(
  { what, env: own = {}, append = {}, online = false, code, says }: Refusal,
  clone: string,
  compose: string,
  { signal }: ProofContext,
): Promise<Check[]> {
  const project = `tracemesh-refusals-${process.pid}`
  const env = await stackEnvironment(compose, project)
  const undo = await appendToFiles(clone, append)
  try {
    const variables = Object.entries(own).map(([key, value]) => `${key}=${value}`)
    const start = `env ${variables.join(' ')} /bin/bash deploy/start.sh${online ? '' : ' --offline'}`
    const { code: got, output } = await sh(start, clone, env, signal)
    const missing = says.filter((pattern) => !pattern.test(output))
    return [
      equals(`${what}: exit code`, code, got ?? -1),
      {
        what: `${what}: message`,
        want: says.join(' '),
        got: missing.length === 0 ? 'complete' : output.slice(-1_500),
        holds: missing.length === 0,
      },
    ]
  } finally {
    await undo()
    if ((await remainingObjects(project, ['container', 'volume'])).length > 0)
      await sh('deploy/stop.sh --delete-data >/dev/null 2>&1', clone, env, new AbortController().signal)
  }
}

/** Appends to files; the returned function restores them. */
async function appendToFiles(clone: string, append: Readonly<Record<string, string>>): Promise<() => Promise<void>> {
  const before = await Promise.all(
    Object.entries(append).map(async ([name, text]) => {
      const file = join(clone, name)
      const content = await readFile(file, 'utf8')
      await writeFile(file, content + text)
      return { file, content }
    }),
  )
  return async () => {
    for (const { file, content } of before) await writeFile(file, content)
  }
}

const tools = 'awk basename bash cat cut dirname find grep head id mktemp paste rm sed sort tail tr uniq wc xargs'

/** A directory for PATH with the tools of the scripts, without Docker. */
async function withoutDocker(directory: string): Promise<string> {
  const bare = join(directory, 'bin')
  await mkdir(bare)
  for (const tool of tools.split(' ')) await symlink(`/usr/bin/${tool}`, join(bare, tool))
  return bare
}
