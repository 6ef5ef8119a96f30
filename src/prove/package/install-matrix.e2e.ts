import { mkdtempDisposable, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endToEnd } from '../end-to-end.ts'
import type { Check, ProofContext } from '../proof.ts'
import { plainEnvironment, sh } from '../shell.ts'
import { applicationChecks, installChecks, packedKit } from './app-project.ts'

/** The oldest packages for libp2p 3: the lower ends of the peer ranges. */
const oldest = {
  libp2p: '3.0.0',
  '@libp2p/interface': '3.3.0',
  '@libp2p/gossipsub': '15.0.7',
  '@libp2p/identify': '4.0.4',
  '@libp2p/noise': '17.0.2',
  '@libp2p/tcp': '11.0.0',
  '@libp2p/yamux': '8.0.0',
}

const sdk1 = { '@opentelemetry/api': '1.9.0', '@opentelemetry/sdk-node': '0.57.2' }
const sdk2 = { '@opentelemetry/api': '1.9.1', '@opentelemetry/sdk-node': '0.223.0' }
const sdk3 = { '@opentelemetry/api': 'latest', '@opentelemetry/sdk-node': 'latest' }

/** Oldest and newest libp2p, and every major version of the SDK with an API that it accepts. */
const telemetry = (newest: Readonly<Record<string, string>>) =>
  [
    ['oldest libp2p, SDK 1', { ...oldest, ...sdk1 }],
    ['newest libp2p, SDK 2', { ...newest, ...sdk2 }],
    ['newest libp2p, SDK 3', { ...newest, ...sdk3 }],
  ] as const

/** The application's own gossipsub with the options of a mesh node. */
const ownOptions = [
  ['import { tracemesh }', 'import { gossipSettings, tracemesh }'],
  ['pubsub: gossipsub()', 'pubsub: gossipsub(gossipSettings())'],
] as const

export const proof = endToEnd({
  name: 'install-matrix',
  about:
    'the packed kit in applications with the oldest and newest libp2p, OpenTelemetry SDK 1.x, 2 and 3, by npm and by pnpm: installed without a conflict, typed, gossiping with the application’s own gossipsub, traces joined',
  quick: false,
  seconds: 480,
  async run(context) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-matrix-'))
    const { newest, project } = await packedKit(temporary.path, context)
    const pnpm = await installPnpm(temporary.path, context)
    const checks: Check[] = []
    const figures: Record<string, unknown> = { pnpm: pnpm.version }
    const managers = [
      // The application decides about install scripts of its own SDK (protobufjs).
      { manager: 'npm', alone: 'npm install --strict-peer-deps', install: 'npm install --strict-peer-deps' },
      { manager: 'pnpm', alone: pnpm.command, install: `${pnpm.command} --ignore-scripts` },
    ]
    for (const { manager, alone, install } of managers) {
      const bare = await project(`${manager}, no SDK`, { ...newest, '@opentelemetry/api': 'latest' }, alone, ownOptions)
      checks.push(...(await installChecks(`${manager}, no SDK`, bare, false)))
      for (const [kind, versions] of telemetry(newest)) {
        const on = `${manager}, ${kind}`
        const app = await project(on, versions, install, ownOptions)
        const result = await applicationChecks(on, app)
        checks.push(...result.checks)
        figures[on] = { ...result.figures, installSeconds: Math.round(app.installed.seconds) }
        await rm(app.directory, { recursive: true, force: true })
      }
    }
    return { figures, checks }
  },
})

/** pnpm in `directory`, with its store there too. */
async function installPnpm(directory: string, { signal }: ProofContext): Promise<{ command: string; version: string }> {
  const home = join(directory, 'pnpm')
  const installed = await sh(`npm install --prefix ${home} pnpm@latest`, directory, plainEnvironment(), signal)
  if (installed.code !== 0) throw new Error(`pnpm could not be installed: ${installed.output.slice(-500)}`)
  const bin = join(home, 'node_modules/.bin/pnpm')
  const { output } = await sh(`${bin} --version`, directory, plainEnvironment(), signal)
  return { command: `${bin} install --store-dir ${join(directory, 'store')}`, version: output.trim() }
}
