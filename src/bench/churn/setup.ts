import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processSettings } from '../../launcher.js'
import type { Crowd, LivesProgram } from '../../soak/lives/crowd.ts'
import { buildInClone } from '../../testing/built-package.ts'
import { type Receiver, startReceiver } from '../../testing/otlp/otlp-receiver.ts'
import { type Group, spawnGroup } from '../group.ts'
import { bundleOurs, ours, ownSide, plainEnvironment, reference, type Side, stockSide } from '../sides.ts'

/** A hub, two steady peers that reach each other only through it, and the program of the short lives. */
export interface ChurnSide {
  readonly name: string
  readonly group: Group
  readonly crowd: Crowd
}

export interface ChurnSetup extends AsyncDisposable {
  readonly sides: readonly ChurnSide[]
  /** Gets the spans of ours. */
  readonly receiver: Receiver
}

/** Index of the hub in its group, and of the peers that publish and receive. */
export const hubIndex = 0
export const publisherIndex = 1
const steadyPeers = 2
const star = [[], ...Array.from({ length: steadyPeers }, () => [hubIndex])]
const chrt = '/usr/bin/chrt'
const stockLives = fileURLToPath(new URL('stock-lives.js', import.meta.url))

/** Starts both sides. `env` is for the nodes and lives of ours. `only` leaves stock out. */
export async function startChurnSetup(
  { env = {}, only = false }: { readonly env?: NodeJS.ProcessEnv; readonly only?: boolean },
  signal: AbortSignal,
): Promise<ChurnSetup> {
  const resources = new AsyncDisposableStack()
  try {
    const build = (directory: string) => bundleOurs(directory, { lives: 'src/bench/churn/our-lives.ts' })
    const { directory } = resources.use(await buildInClone(build))
    const bundle = (file: string) => join(directory, 'dist/cli', file)
    const receiver = await startReceiver()
    resources.defer(() => receiver.close())
    const programs = [
      { side: withTcp(ownSide(bundle('main.js'), receiver.endpoint, 1), env), lives: bundle('lives.js') },
      ...(only ? [] : [{ side: withTcp(stockSide(reference), { BENCH_CROWD: '1' }), lives: stockLives }]),
    ]
    const sides: ChurnSide[] = []
    for (const { side, lives } of programs) {
      const group = resources.use(await spawnGroup(side, 1 + steadyPeers))
      await group.startAll(star, signal)
      sides.push({ name: side.name, group, crowd: (args) => livesProgram(lives, args, env) })
    }
    return { sides, receiver, [Symbol.asyncDispose]: () => resources.disposeAsync() }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}

/** Listens on TCP, too, at the port with the same number. */
function withTcp({ program, ...side }: Side, env: NodeJS.ProcessEnv): Side {
  return {
    ...side,
    program: (listen) => {
      const tcp = listen.replace('/udp/', '/tcp/').replace('/quic-v1', '')
      const plain = program(`${listen},${tcp}`)
      return { ...plain, env: { ...plain.env, ...env } }
    },
  }
}

/**
 * The same process settings for both sides: lives are load, and not measured. Linux runs them when nothing else wants a
 * processor, so that the latencies are those of the hub, not of a busy machine.
 */
function livesProgram(file: string, args: readonly string[], env: NodeJS.ProcessEnv): LivesProgram {
  const [command = process.execPath, ...idleArgs] = existsSync(chrt) ? [chrt, '--idle', '0', process.execPath] : []
  return {
    command,
    args: [...idleArgs, processSettings.flag, '--disable-warning=ExperimentalWarning', file, ...args],
    env: { ...plainEnvironment(''), ...processSettings.env, ...env },
  }
}

export { ours, reference }
