import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type CommandResult, plainEnvironment, root, sh } from '../shell.ts'
import { adaptCode, readmeApplication } from './readme-code.ts'

/** Environment of commands in a project: this Node.js, without variables of npm or of the launcher. */
const environment = () => plainEnvironment(dirname(process.execPath))

/** An application with the packed kit installed. */
export interface AppProject {
  readonly directory: string
  readonly installed: CommandResult
  /** Absolute path of its program. */
  readonly entry: string
  /** Type-checks its sources. */
  typeCheck(): Promise<CommandResult>
  run(command: string): Promise<CommandResult>
}

export interface ProjectOptions {
  readonly directory: string
  /** The packed kit. */
  readonly tarball: string
  /** Names and versions of the packages beside it. */
  readonly packages: Readonly<Record<string, string>>
  readonly install: string
  /** Changes to the application of the README. */
  readonly changes?: readonly (readonly [from: string, to: string])[]
  readonly signal: AbortSignal
}

/** `npm pack` of this checkout into `directory`; resolves to the tarball. Throws with the output of npm. */
export async function packKit(directory: string, signal: AbortSignal): Promise<string> {
  const packed = await sh(`npm pack --pack-destination ${directory}`, root, environment(), signal)
  // An interrupted npm leaves the manifest of the package in place of the checkout's.
  if (packed.code !== 0) await sh('npm run postpack', root, environment(), AbortSignal.timeout(5_000))
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

/** Copies the application of the README into an empty folder, and installs the kit and the application's packages. */
export async function appProject(options: ProjectOptions): Promise<AppProject> {
  const { directory, tarball, packages, install, changes = [], signal } = options
  const { code } = await readmeApplication()
  const dependencies = { tracemesh: `file:${tarball}`, ...packages, typescript: '~5.9.0', '@types/node': '^24' }
  const files: Readonly<Record<string, string>> = {
    'package.json': JSON.stringify({ name: 'app', version: '1.0.0', private: true, type: 'module', dependencies }),
    'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.ts'] }),
    'app.ts': before + adaptCode(code, [...environmentChanges, ...changes]) + after,
    'own-gossipsub.ts': ownGossipsub,
    'main.mjs': telemetry,
  }
  await mkdir(directory, { recursive: true })
  await Promise.all(Object.entries(files).map(([file, text]) => writeFile(join(directory, file), text)))
  const run = (command: string) => sh(command, directory, environment(), signal)
  return {
    directory,
    entry: join(directory, 'main.mjs'),
    installed: await run(install),
    typeCheck: () => run('node node_modules/typescript/bin/tsc -p .'),
    run,
  }
}
