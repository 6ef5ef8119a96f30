import { mkdir, mkdtempDisposable, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Subprocess } from '../../processes/subprocess.ts'
import { until } from '../../processes/waiting.ts'
import { endToEnd } from '../end-to-end.ts'
import { startTcpServer } from '../mesh/receiver-away-exit.e2e.ts'
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
    await using occupied = await startTcpServer(() => {})
    const { port } = new URL(occupied.endpoint)
    const clone = await cloneWithChanges(temporary.path, context.signal)
    const checks: Check[] = []
    for (const refusal of refusals(port, await withoutDocker(temporary.path))) {
      context.progress(refusal[0])
      checks.push(...(await checkRefusal(refusal, clone, compose.command, context)))
    }
    context.progress('interrupted while it waits')
    checks.push(...(await checkInterrupt(clone, compose.command, context)))
    return { figures: { compose: compose.command }, checks }
  },
})

async function checkRefusal(
  [what, code, { env: own = {}, append: [name, text] = ['deploy/.env', ''], online = false }, ...says]: Refusal,
  clone: string,
  compose: string,
  { signal }: ProofContext,
): Promise<Check[]> {
  const project = `tracemesh-refusals-${process.pid}`
  const env = await stackEnvironment(compose, project)
  const file = join(clone, name)
  const content = await readFile(file, 'utf8').catch(() => undefined)
  await writeFile(file, `${content ?? ''}${text}`)
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
    await (content === undefined ? rm(file) : writeFile(file, content))
    if ((await remainingObjects(project, ['container', 'volume'])).length > 0)
      await sh('deploy/stop.sh --delete-data >/dev/null 2>&1', clone, env, new AbortController().signal)
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

/** What keeps a stack from starting. */
interface Fault {
  readonly env?: Readonly<Record<string, string>>
  /** Appends a text to a file of the clone, or creates it. */
  readonly append?: readonly [file: string, text: string]
  /** Uses the images of deploy/.env instead of those built here. */
  readonly online?: boolean
}

/** A fault, and the exit code of deploy/start.sh with its message: the fault and its cure. */
type Refusal = readonly [what: string, code: number, fault: Fault, ...says: RegExp[]]

/** A file of the operator's own for Compose: the broker allocates until the kernel kills it. */
const greedyBroker = `services:
  a-broker:
    entrypoint: [node, -e, "const held = []; setInterval(() => held.push(Buffer.alloc(2e7, 1)), 20)"]
`

/** `bare`: a directory with the tools of the script, without Docker. */
function refusals(takenPort: string, bare: string): readonly Refusal[] {
  const noDaemon = { env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' } }
  const unknownKey = { append: ['deploy/.env', '\nJAEGER_PROT=16686\n'] } as const
  const malformedLine = { append: ['deploy/.env', '\nPAGE_PORT 1\n'] } as const
  const twice = { append: ['deploy/.env', '\nPAGE_PORT=1\n'] } as const
  const group = '\n  - name: broken\n    rules: [{ alert: Broken, expr: "sum(" }]\n'
  const brokenRule = { append: ['otel/rules/mesh.yml', group] } as const
  const brokenCollector = { append: ['otel/collector.yaml', '\nnonsense: 1\n'] } as const
  const noImage = { online: true, env: { COLLECTOR_IMAGE: 'tracemesh-offline/nothing:1' } }
  return [
    [
      'a port is taken',
      1,
      { env: { PAGE_PORT: takenPort } },
      RegExp(`in use: port ${takenPort} \\(PAGE_PORT\\)`),
      /deploy\/local\.env:\n +PAGE_PORT=\d+\n/,
    ],
    ['no Docker daemon answers', 3, noDaemon, /daemon does not answer/, /systemctl start docker/, /npm start/],
    ['Docker is not installed', 3, { env: { PATH: bare } }, /not installed/, /Install Docker/],
    ['an invalid value', 2, { env: { NODE_MEMORY: 'lots' } }, /NODE_MEMORY=lots/, /such as 160m/],
    ['an unknown key', 2, unknownKey, /line \d+: JAEGER_PROT is an unknown setting/, /JAEGER_UI_PORT/],
    ['a malformed line', 2, malformedLine, /line \d+/, /KEY=value/],
    ['a key that is set twice', 2, twice, /line \d+: PAGE_PORT is already set/],
    ['a broken rule file', 1, brokenRule, /otel\/rules/, /parse error|unclosed|unexpected/, /npm run generate/],
    [
      'a broken configuration of the Collector',
      1,
      brokenCollector,
      /rejects otel\/collector\.yaml/,
      /nonsense/,
      /git checkout/,
    ],
    ['a missing image', 1, noImage, /tracemesh-offline\/nothing:1 cannot be pulled/, /COLLECTOR_IMAGE/, /--offline/],
    [
      'a service that needs more memory than its limit',
      1,
      { append: ['deploy/compose.override.yaml', greedyBroker] },
      /a-broker was OOM-killed: it needs more memory than its limit/,
      /Raise NODE_MEMORY/,
    ],
    [
      'nodes that refuse to start with so little memory',
      1,
      { env: { NODE_MEMORY: '24m' } },
      /the machine or container has 24 MiB/,
      /exits right after its start/,
      /docker logs/,
    ],
  ]
}

/** Sends SIGINT to the process group of deploy/start.sh while it waits for health, as Ctrl-C in a terminal does. */
async function checkInterrupt(clone: string, compose: string, { signal }: ProofContext): Promise<Check[]> {
  const project = `tracemesh-interrupt-${process.pid}`
  const env = await stackEnvironment(compose, project)
  const child = new Subprocess({
    name: 'deploy/start.sh',
    command: ['/bin/bash', 'deploy/start.sh', '--offline', '--nodes', '1'],
    cwd: clone,
    env,
    ownGroup: true,
    outputChars: 100_000,
  })
  const isWaiting = () => child.output.includes('healthy; waiting for')
  try {
    await until(isWaiting, waitLimitMs, 'deploy/start.sh waits', AbortSignal.any([signal, child.ended]))
    const before = await remainingObjects(project, ['container'])
    child.signal('SIGINT')
    const { code, output } = await child.exitWithin(exitLimitMs)
    const remaining = await remainingObjects(project, ['container', 'network'])
    const hasMessage = /interrupted: stopping/.test(output)
    return [
      { what: 'interrupted: containers by then', want: 'some', got: before.length, holds: before.length > 0 },
      equals('interrupted: exit code', 130, code ?? -1),
      equals('interrupted: its message', 'printed', hasMessage ? 'printed' : output.slice(-1_500)),
      equals('interrupted: left', '', remaining.join(', ')),
    ]
  } finally {
    child.signal('SIGKILL')
    await sh('deploy/stop.sh --delete-data >/dev/null 2>&1', clone, env, new AbortController().signal)
  }
}
