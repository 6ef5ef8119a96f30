import { mkdir, mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type LogEntry, parseLogLine } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { endToEnd } from '../end-to-end.ts'
import { timeUntil } from '../evidence.ts'
import { atMost, type Check, equals } from '../proof.ts'
import { plainEnvironment, processesIn } from '../shell.ts'
import { packKit } from './app-project.ts'

/** npx installs the package first. */
const limits = { listensMs: 120_000, linkedMs: 15_000, stopsMs: 6_000 }

export const proof = endToEnd({
  name: 'npx-node',
  about: 'npx of the packed package in an empty folder: two nodes over QUIC find each other, and stop with goodbyes',
  quick: false,
  seconds: 60,
  async run({ signal, progress }) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-npx-'))
    const directory = temporary.path
    const children: Npx[] = []
    try {
      const tarball = await packKit(directory, signal)
      const start = async (name: string, ...args: string[]) => {
        const folder = join(directory, name)
        await mkdir(folder)
        progress(`npx tracemesh node, as ${name}`)
        const child = npx(folder, join(directory, 'cache'), tarball, name, args)
        children.push(child)
        return child
      }
      const seed = await start('seed', '--role', 'seed')
      const listensMs = await timeUntil(limits.listensMs, () => seed.line('listening') !== undefined, signal)
      const addresses = (seed.line('listening')?.['addresses'] ?? []) as string[]
      const quic = addresses.find((address) => address.includes('/quic-v1')) ?? ''
      const node = await start('node', '--seed', quic)
      const both = [seed, node]
      const linked = () => both.every((one) => one.line('mesh.member.joined') !== undefined)
      await timeUntil(limits.listensMs, () => node.line('listening') !== undefined, signal)
      const linkedMs = await timeUntil(limits.linkedMs, linked, signal)
      const transport = node.line('mesh.connection.opened')?.['mesh.connection.transport'] ?? 'none'
      const stopping = performance.now()
      await Promise.all(both.map((one) => one.stop()))
      // npx itself ends by the signal, so the exit code of its command is unknown.
      const stoppedCount = both.filter((one) => one.line('mesh.node.stopped') !== undefined).length
      const checks: Check[] = [
        atMost('installed and listening', limits.listensMs, listensMs, 'ms'),
        equals('it listens at QUIC', true, quic !== ''),
        atMost('each has the other as a member', limits.linkedMs, linkedMs, 'ms'),
        equals('transport of their link', 'quic', String(transport)),
        equals('nodes that stopped with goodbyes', 2, stoppedCount),
        atMost('stopped', limits.stopsMs, performance.now() - stopping, 'ms'),
        equals('processes left', 0, processesIn(directory).length),
      ]
      const tail = checks.every(({ holds }) => holds === true) ? '' : both.map(({ tail }) => tail()).join('\n')
      return { figures: { listensMs: Math.round(listensMs), linkedMs: Math.round(linkedMs), tail }, checks }
    } finally {
      for (const child of children) child.kill()
    }
  },
})

type Npx = ReturnType<typeof npx>

/** `npx tracemesh node` in a process group of its own. */
function npx(folder: string, cache: string, tarball: string, name: string, args: readonly string[]) {
  const listen = ['--listen', '/ip4/127.0.0.1/udp/0/quic-v1', '--listen', '/ip4/127.0.0.1/tcp/0']
  const node = ['node', '--name', name, '--log-level', 'debug', '--otlp', 'off', ...listen, ...args]
  const lines: LogEntry[] = []
  const child = new Subprocess({
    name: `npx of ${name}`,
    command: ['npx', '--yes', `--package=${tarball}`, 'tracemesh', ...node],
    cwd: folder,
    env: { ...plainEnvironment(dirname(process.execPath)), npm_config_cache: cache },
    ownGroup: true,
    onLine: (line) => lines.push(parseLogLine(line)),
  })
  return {
    /** The first log line with this message. */
    line: (message: string) => lines.find(({ msg }) => msg === message),
    tail: () => [...lines.slice(-3).map((line) => JSON.stringify(line)), child.output].join('\n').slice(-1_500),
    // As a terminal does, to every process of the group.
    stop: () => child.stop(2 * limits.stopsMs, 'SIGINT'),
    kill: () => child.signal('SIGKILL'),
  }
}
