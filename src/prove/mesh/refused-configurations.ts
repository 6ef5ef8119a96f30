import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Check } from '../proof.ts'

const bin = fileURLToPath(new URL('../../bin.js', import.meta.url))
/** A failing start must end within this. */
const limitMs = 60_000
const usageError = 2

interface Case {
  readonly what: string
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** The message must contain all of them: the key, the value, the cure. */
  readonly mentions: readonly string[]
}

const cases: readonly Case[] = [
  {
    what: 'an unknown variable',
    env: { MESH_STALENES_MS: '1000' },
    mentions: ['MESH_STALENES_MS', 'MESH_STALENESS_MS'],
  },
  { what: 'an unknown flag', args: ['--neighbour', '3'], mentions: ['--neighbour', '--neighbours'] },
  { what: 'zero', env: { MESH_NEIGHBOURS: '0' }, mentions: ['MESH_NEIGHBOURS', '0', 'from 1 to 64'] },
  { what: 'zero by flag', args: ['--staleness-ms', '0'], mentions: ['--staleness-ms', '0', 'from 1000 to 3600000'] },
  {
    what: 'Infinity',
    env: { MESH_STALENESS_MS: 'Infinity' },
    mentions: ['MESH_STALENESS_MS', 'Infinity', 'from 1000'],
  },
  {
    what: 'a bad multiaddr to dial',
    env: { MESH_SEEDS: '/ip4/192.0.2.1/udp/port/quic-v1' },
    mentions: ['MESH_SEEDS', '/ip4/192.0.2.1/udp/port/quic-v1', '/udp/<port>/quic-v1'],
  },
  {
    what: 'a bad multiaddr to listen at',
    env: { MESH_LISTEN: '/ip4/300.0.0.1/tcp/1' },
    mentions: ['MESH_LISTEN', '/ip4/300.0.0.1/tcp/1', 'multiaddrs of ip4 or ip6'],
  },
]

/** Starts a node with each invalid configuration. */
export async function configurationChecks(): Promise<Check[]> {
  const udp = createSocket('udp4')
  const tcp = createServer()
  try {
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve))
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
    const { port } = tcp.address() as { port: number }
    const takenAddresses = [`/ip4/127.0.0.1/udp/${udp.address().port}/quic-v1`, `/ip4/127.0.0.1/tcp/${port}`]
    const ports = takenAddresses.map((address): Case => {
      const mentions = ['MESH_LISTEN', address, 'choose another port']
      return {
        what: `a port in use (${address.includes('udp') ? 'UDP' : 'TCP'})`,
        env: { MESH_LISTEN: address },
        mentions,
      }
    })
    const admin = `127.0.0.1:${port}`
    const adminTaken: Case = {
      what: 'a port in use (HTTP API)',
      env: { MESH_ADMIN: admin },
      mentions: ['MESH_ADMIN (--admin)', admin, 'choose another port'],
    }
    const checks: Check[] = []
    for (const one of [...cases, ...ports, adminTaken]) checks.push(await checkOf(one))
    return checks
  } finally {
    udp.close()
    tcp.close()
  }
}

async function checkOf({ what, env = {}, args = [], mentions }: Case): Promise<Check> {
  const { code, stderr } = await start(env, args)
  const missing = mentions.filter((text) => !stderr.includes(text))
  const firstLine = stderr.trim().split('\n')[0] ?? ''
  return {
    what: `configuration: ${what}`,
    want: `exit ${usageError}, names ${mentions.join(' and ')}`,
    got: `exit ${code}: ${firstLine}`,
    holds: code === usageError && missing.length === 0,
  }
}

function start(env: Readonly<Record<string, string>>, args: readonly string[]) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(MESH|OTEL|NODE)_/.test(name))
  const quiet = { MESH_OTLP: 'off', MESH_ADMIN: 'off', MESH_LISTEN: '/ip4/127.0.0.1/udp/0/quic-v1' }
  return new Promise<{ code: number | string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      [bin, 'node', ...args],
      { env: { ...Object.fromEntries(inherited), ...quiet, ...env }, timeout: limitMs },
      (error, _, stderr) => resolve({ code: error === null ? 0 : (error.code ?? 'none'), stderr }),
    )
  })
}
