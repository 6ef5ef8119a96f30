import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import { emitterOf, timeUntil } from '../evidence.ts'
import { atMost, type Check, equals, type ProofContext } from '../proof.ts'
import { type CommandResult, plainEnvironment, root, sh } from '../shell.ts'

/** Environment of commands in a project: this Node.js, without variables of npm or of the launcher. */
const environment = () => plainEnvironment(dirname(process.execPath))

/** An application with the packed kit installed. */
type AppProject = Awaited<ReturnType<Awaited<ReturnType<typeof packedKit>>['project']>>

type Packages = Readonly<Record<string, string>>
/** Changes to the application of the README. */
type Changes = readonly (readonly [from: string, to: string])[]

/** `npm pack` of this checkout into `directory`; resolves to the tarball. Throws with the output of npm. */
export async function packKit(directory: string, signal: AbortSignal): Promise<string> {
  const packed = await sh(`npm pack --pack-destination ${directory}`, root, environment(), signal)
  const name = /^tracemesh-\S+\.tgz$/m.exec(packed.output)?.[0]
  if (packed.code !== 0 || name === undefined) throw new Error(`npm pack failed: ${packed.output.slice(-1_000)}`)
  return join(directory, name)
}

/** On loopback, with seeds and receiver from the environment: changes that a README cannot contain. */
const environmentChanges = [
  ['/ip4/0.0.0.0/tcp/0', '/ip4/127.0.0.1/tcp/0'],
  ["seeds: ['/ip4/10.0.0.1/tcp/4001']", "seeds: (process.env['MESH_SEEDS'] ?? '').split(',').filter(Boolean), otlp"],
] as const

const before = `const otlp = process.env['MESH_OTLP'] ?? 'off'\n`

/** Additional code of the application: it publishes under its own spans, and logs received messages. */
const after = `
import { trace } from '@opentelemetry/api'
const tracer = trace.getTracer('app')
const print = (line: object) => process.stdout.write(JSON.stringify(line) + '\\n')
const name = process.env['MESH_NAME'] ?? ''
mesh.subscribe('news', ({ from, data }) => {
  const span = tracer.startSpan('app.handle')
  print({ heard: new TextDecoder().decode(data), from })
  span.end()
})
const timer = setInterval(() => {
  tracer.startActiveSpan('app.publish', (span) => {
    void mesh.publish('news', new TextEncoder().encode('news from ' + name)).finally(() => span.end())
  })
}, 500)
process.once('SIGTERM', () => {
  clearInterval(timer)
  void node.stop()
})
print({ msg: 'listening', peer: mesh.peer, addresses: node.getMultiaddrs().map(String) })
`

/** The application's own SDK, of whatever major version: each ended span is a line of standard output. */
const telemetry = `
import { NodeSDK } from '@opentelemetry/sdk-node'
const text = (span) => JSON.stringify({
  span: span.name,
  trace: span.spanContext().traceId,
  links: span.links.map(({ context }) => context.traceId),
})
const nothing = async () => {}
const processor = {
  onStart() {},
  onEnd: (span) => void process.stdout.write(text(span) + '\\n'),
  forceFlush: nothing,
  shutdown: nothing,
}
const sdk = new NodeSDK({ spanProcessors: [processor], autoDetectResources: false, metricReaders: [], logRecordProcessors: [] })
sdk.start()
await import('./app.ts')
`

const ownGossipsub = `
import { gossipsub } from '@libp2p/gossipsub'
import { gossipSettings } from 'tracemesh'
import { meshGossip } from 'tracemesh/libp2p'
export const pubsub = [gossipsub(gossipSettings()), gossipsub(gossipSettings({ D: 5 })), meshGossip()]
`

const compilerOptions = {
  module: 'nodenext',
  target: 'es2024',
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
}

/** Packs the kit into `directory`, for applications in folders below it. */
export async function packedKit(directory: string, { progress, signal }: ProofContext) {
  const tarball = await packKit(directory, signal)
  const { packages, code } = await readmeApplication()
  return {
    /** The newest version of each package that the README installs beside the kit. */
    newest: Object.fromEntries(packages.filter((name) => name !== 'tracemesh').map((name) => [name, 'latest'])),
    /** Copies the application of the README into an empty folder, and installs the kit and these packages. */
    project: async (name: string, more: Packages, install: string, changes: Changes = []) => {
      progress(name)
      const folder = join(directory, name.replaceAll(/\W+/g, '-'))
      const dependencies = { tracemesh: `file:${tarball}`, ...more, typescript: '~5.9.0', '@types/node': '^24' }
      const files: Readonly<Record<string, string>> = {
        'package.json': JSON.stringify({ name: 'app', version: '1.0.0', private: true, type: 'module', dependencies }),
        'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.ts'] }),
        'app.ts': before + adaptCode(code, [...environmentChanges, ...changes]) + after,
        'own-gossipsub.ts': ownGossipsub,
        'main.mjs': telemetry,
      }
      await mkdir(folder, { recursive: true })
      for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
      const run = (command: string) => sh(command, folder, environment(), signal)
      const typeCheck = () => run('node node_modules/typescript/bin/tsc -p .')
      return { directory: folder, entry: join(folder, 'main.mjs'), installed: await run(install), typeCheck, run }
    },
  }
}

/**
 * The application of the README, the packages of its install command, `tracemesh` included, and the arguments of its
 * seed. Throws when the README has none.
 */
export async function readmeApplication() {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const seed = /^npx tracemesh (node --role seed .+)$/m.exec(readme)?.[1]
  const section = /^## In your own js-libp2p application$([\s\S]*?)^## /m.exec(readme)?.[1] ?? ''
  const install = /^npm install (.+)$/m.exec(section)?.[1]
  const code = /^```ts\n([\s\S]*?)^```$/m.exec(section)?.[1]
  if (install === undefined || code === undefined || seed === undefined)
    throw new Error('README.md has no application to install and copy, or no seed')
  return { packages: install.trim().split(/\s+/), code, seed: seed.split(' ') }
}

/** The transport and port of each IPv4 multiaddr in a text, such as `/tcp/4001`. */
export const transportsIn = (text: string) =>
  Array.from(text.matchAll(/\/ip4\/[\d.]+([\w/-]+)/g), ([, part]) => part ?? '')

/** Replaces every `from` by its `to`. Throws when a `from` is missing, so that no change is lost. */
export function adaptCode(code: string, changes: Changes): string {
  let text = code
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the application of the README has no ${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}

export function succeeds(what: string, { code, output }: CommandResult): Check {
  return { what, want: 'exit 0', got: code === 0 ? 'exit 0' : `exit ${code}: ${output.slice(-500)}`, holds: code === 0 }
}

/** Messages of npm and pnpm about version conflicts. */
const conflict = /ERESOLVE|peer dependenc|unmet peer|ELSPROBLEMS/i
/** Packages of the commands, which the kit must not install. */
const commandPackages = ['fastify', 'commander', '@opentelemetry/otlp-transformer', '@grpc/proto-loader']

/** Checks an install: no conflict, and one copy of the API. */
export async function installChecks(on: string, project: AppProject, ownSdk: boolean): Promise<Check[]> {
  const { installed } = project
  const conflicts = installed.output.split('\n').filter((line) => conflict.test(line))
  // Real directories only: pnpm links each package into its dependents.
  const copies = await project.run(
    `find node_modules -type d -path '*@opentelemetry/api' -not -path '*/api/*' | sort | uniq | wc -l`,
  )
  const names = ownSdk ? commandPackages.slice(0, 2) : commandPackages
  const paths = names.map((name) => `-path '*/node_modules/${name}'`).join(' -o ')
  const extra = await project.run(`find node_modules -type d \\( ${paths} \\) | head -3`)
  return [
    succeeds(`${on}: install`, installed),
    equals(`${on}: conflicts`, 'none', conflicts.slice(0, 3).join(' | ') || 'none'),
    equals(`${on}: copies of the API`, '1', copies.output.trim()),
    equals(`${on}: packages of the commands`, 'none', extra.output.trim() || 'none'),
  ]
}

const tracesJoined = "traces of publish and handler are joined in the application's exporter, both ways"

/** Limit of each step, in milliseconds: links, gossip and the first batch of spans, during another install. */
const limitMs = 20_000

/** A span of the application at its own exporter. */
interface AppSpan {
  readonly span: string
  readonly trace: string
  readonly links: readonly string[]
}

const spansOf = ({ log }: NodeProcess, name: string): readonly AppSpan[] =>
  log.filter((line): line is AppSpan & typeof line => line['span'] === name)

/** Whether a message's handler runs in the trace of its publisher, or links to it. */
const sharesTrace = (publisher: NodeProcess, receiver: NodeProcess): boolean => {
  const published = new Set(spansOf(publisher, 'app.publish').map(({ trace }) => trace))
  return spansOf(receiver, 'app.handle').some(({ trace, links }) => [trace, ...links].some((id) => published.has(id)))
}

/** Checks an application with its own SDK: its install, its types, and two of it as members. */
export async function applicationChecks(on: string, project: AppProject) {
  const pair = await checkPair(on, project.entry)
  const typed = succeeds(`${on}: type check`, await project.typeCheck())
  return { figures: pair.figures, checks: [...(await installChecks(on, project, true)), typed, ...pair.checks] }
}

/** Runs the seed of the README, on loopback and free ports, and an application that dials the transport of the README. */
export async function checkSeed(on: string, { directory, entry }: AppProject): Promise<Check> {
  const { code, seed: args } = await readmeApplication()
  const loopback = args.map((arg) =>
    arg.replace('0.0.0.0', '127.0.0.1').replace('4001', '0').replace(/^\.\//, `${directory}/`),
  )
  await using cluster = await startCluster()
  const seed = await cluster.node('seed', {
    entry: join(directory, 'node_modules/tracemesh/dist/bin.js'),
    args: loopback,
  })
  const [, dialled = ''] = transportsIn(code)
  const seeds = seed.addresses.filter((address) => address.includes(`/${dialled.split('/')[1]}/`))
  const application = await cluster.node('app', { entry, listen: ['/ip4/127.0.0.1/tcp/0'], seeds })
  const joins = () =>
    seed.log.some(({ msg, 'mesh.peer.id': peer }) => msg === 'mesh.member.joined' && peer === application.peer)
  return atMost(
    `${on}: the application joins at the seed of the README`,
    limitMs,
    await timeUntil(limitMs, joins),
    'ms',
  )
}

/** Runs an application twice, with the first as seed of the second: gossip, traces and exit of both. */
async function checkPair(on: string, entry: string): Promise<{ checks: Check[]; figures: object }> {
  await using cluster = await startCluster()
  const tcp = ['/ip4/127.0.0.1/tcp/0']
  const first = await cluster.node('first', { entry, listen: tcp })
  const second = await cluster.node('second', { entry, listen: tcp, seeds: first.addresses.slice(0, 1) })
  const receivesFrom = (one: NodeProcess, other: NodeProcess) => () =>
    one.log.some((line) => line['heard'] === `news from ${other.name}` && line['from'] === other.peer)
  const receivedMs = [
    await timeUntil(limitMs, receivesFrom(first, second)),
    await timeUntil(limitMs, receivesFrom(second, first)),
  ]
  const joinedMs = await timeUntil(limitMs, () => sharesTrace(first, second) && sharesTrace(second, first))
  const hasSpansOf = (peer: string) => cluster.receiver.spans.some((span) => emitterOf(span) === peer)
  await timeUntil(limitMs, () => hasSpansOf(first.peer) && hasSpansOf(second.peer))
  const spans = [first, second].filter(({ peer }) => hasSpansOf(peer)).length
  const codes = [await second.stop(), await first.stop()]
  return {
    figures: { heardMs: receivedMs.map(Math.round), joinedMs: Math.round(joinedMs) },
    checks: [
      ...receivedMs.map((ms, index) =>
        atMost(`${on}: ${index === 0 ? 'first' : 'second'} receives the other's message`, limitMs, ms, 'ms'),
      ),
      equals(`${on}: ${tracesJoined}`, true, joinedMs >= 0),
      equals(`${on}: members whose spans reach the receiver`, 2, spans),
      equals(`${on}: exit codes`, '0 0', codes.join(' ')),
    ],
  }
}
