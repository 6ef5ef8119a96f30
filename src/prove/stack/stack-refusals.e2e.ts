import { once } from 'node:events'
import { mkdir, mkdtempDisposable, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Subprocess } from '../../processes/subprocess.ts'
import { rejectOnAbort } from '../../processes/waiting.ts'
import { endToEnd } from '../end-to-end.ts'
import { type Check, equals, type ProofContext, unrun } from '../proof.ts'
import { sh } from '../shell.ts'
import { cloneWithChanges, composeCommand, remainingObjects, stackEnvironment } from './containers.ts'

/** Until it waits for health: it may build the nodes' image first. */
const waitLimitMs = 600_000
/** Until it has removed the stack: nodes have 10 s, other services 30 s. */
const exitLimitMs = 90_000

export const proof = endToEnd({
  name: 'stack-refusals',
  about:
    'deploy/start.sh names each fault and its cure: ports, Docker, settings, files, images, memory; interrupted, it leaves no container and no network',
  quick: false,
  seconds: 180,
  async run(context) {
    const compose = await composeCommand('v1', context.signal)
    if ('missing' in compose) return unrun(context, 'Compose', 'present', compose.missing)
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-refusals-'))
    const directory = temporary.path
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

/** A fault that keeps a stack from starting, and the required message of deploy/start.sh. */
interface Refusal {
  readonly what: string
  /** Variables that cause it. */
  readonly env?: Readonly<Record<string, string>>
  /** Text to append to files of the clone that causes it. */
  readonly append?: Readonly<Record<string, string>>
  /** Uses the images of deploy/.env instead of those built here. */
  readonly online?: boolean
  readonly code: number
  /** The message: the fault and its cure. */
  readonly says: readonly RegExp[]
}

/** `bare`: a directory with the tools of the script, without Docker. */
function refusals(takenPort: number, bare: string): readonly Refusal[] {
  return [
    {
      what: 'a port is taken',
      env: { PAGE_PORT: String(takenPort) },
      code: 1,
      says: [new RegExp(`port ${takenPort} is in use`), /change PAGE_PORT/],
    },
    {
      what: 'no Docker daemon answers',
      env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
      code: 3,
      says: [/daemon does not answer/, /systemctl start docker/, /npm start/],
    },
    { what: 'Docker is not installed', env: { PATH: bare }, code: 3, says: [/not installed/, /Install Docker/] },
    {
      what: 'an invalid value',
      env: { NODE_MEMORY: 'lots' },
      code: 2,
      says: [/NODE_MEMORY=lots/, /such as 160m/],
    },
    {
      what: 'an unknown key',
      append: { 'deploy/.env': '\nJAEGER_PROT=16686\n' },
      code: 2,
      says: [/JAEGER_PROT .* is an unknown setting/, /JAEGER_UI_PORT/],
    },
    {
      what: 'a malformed line',
      append: { 'deploy/.env': '\nPAGE_PORT = 1\n' },
      code: 2,
      says: [/line \d+/, /KEY=value/],
    },
    {
      what: 'a broken rule file',
      append: { 'otel/rules/mesh.yml': '\n  - name: broken\n    rules: [{ alert: Broken, expr: "sum(" }]\n' },
      code: 1,
      says: [/otel\/rules/, /parse error|unclosed|unexpected/, /npm run generate/],
    },
    {
      what: 'a broken configuration of the Collector',
      append: { 'otel/collector.yaml': '\nnonsense: 1\n' },
      code: 1,
      says: [/rejects otel\/collector\.yaml/, /nonsense/, /git checkout/],
    },
    {
      what: 'a missing image',
      online: true,
      env: { COLLECTOR_IMAGE: 'tracemesh-offline/nothing:1' },
      code: 1,
      says: [/tracemesh-offline\/nothing:1 cannot be pulled/, /COLLECTOR_IMAGE/, /--offline/],
    },
    {
      what: 'nodes that need more memory than their limit',
      env: { NODE_MEMORY: '24m' },
      code: 1,
      says: [/needs more memory than its limit/, /Raise NODE_MEMORY/],
    },
  ]
}

/** Sends SIGINT to the process group of deploy/start.sh while it waits for health, as Ctrl-C in a terminal does. */
async function checkInterrupt(clone: string, compose: string, { signal }: ProofContext): Promise<Check[]> {
  const project = `tracemesh-interrupt-${process.pid}`
  const env = await stackEnvironment(compose, project)
  let output = ''
  const waits = Promise.withResolvers<void>()
  const read = (line: string) => {
    output += `${line}\n`
    if (line.includes('healthy; waiting for')) waits.resolve()
  }
  const child = new Subprocess({
    name: 'deploy/start.sh',
    command: ['/bin/bash', 'deploy/start.sh', '--offline', '--nodes', '1'],
    cwd: clone,
    env,
    ownGroup: true,
    onLine: read,
    onErrorLine: read,
  })
  const within = (ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)])
  try {
    await rejectOnAbort(Promise.race([waits.promise, child.exited]), within(waitLimitMs))
    const before = await remainingObjects(project, ['container'])
    child.signal('SIGINT')
    const { code } = await rejectOnAbort(child.exited, within(exitLimitMs))
    const remaining = await remainingObjects(project, ['container', 'network'])
    const hasMessage = /interrupted: stopping/.test(output)
    return [
      { what: 'interrupted: containers by then', want: 'some', got: before.length, holds: before.length > 0 },
      equals('interrupted: exit code', 130, code ?? -1),
      {
        what: 'interrupted: its message',
        want: 'printed',
        got: hasMessage ? 'printed' : output.slice(-1_500),
        holds: hasMessage,
      },
      equals('interrupted: left', '', remaining.join(', ')),
    ]
  } finally {
    child.signal('SIGKILL')
    await sh('deploy/stop.sh --delete-data >/dev/null 2>&1', clone, env, new AbortController().signal)
  }
}
