import { execFile, spawnSync } from 'node:child_process'

const limitMs = 10_000

/** Debian installs `ip` and `nft` outside the PATH of ordinary users. */
export const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }

/**
 * Root can create namespaces directly; other users need a user namespace around them. Each network namespace has a
 * mount namespace beside it, for a `/sys` that lists its own interfaces.
 */
const ways = [['-nm'], ['-Urnm']] as const

/** Every command that these networks need, run once in a temporary namespace. */
const trial = [
  'ip link set lo up',
  'ip link add veth0 type veth peer name veth1',
  'ip link add bridge0 type bridge',
  'nft add table netdev trial',
  'nft add chain netdev trial arrive "{ type filter hook ingress device veth0 priority 0; }"',
  'nft add table ip trial',
  'nft add chain ip trial leave "{ type nat hook postrouting priority srcnat; }"',
  'nft add rule ip trial leave masquerade',
  'nsenter --version',
].join(' && ')

export interface Namespaces {
  /** Flags of `unshare` for the first namespace. */
  readonly unshare: readonly string[]
  /** Why this process cannot create any. */
  readonly impossible?: string
}

/** How this process can create network namespaces, or why it cannot. */
export function namespaces(): Namespaces {
  let impossible = ''
  for (const flags of ways) {
    const { status, stderr, error } = spawnSync('unshare', [...flags, 'sh', '-c', trial], {
      env,
      encoding: 'utf8',
      timeout: limitMs,
    })
    if (status === 0) return { unshare: flags }
    impossible = `unshare ${flags.join(' ')}: ${(error?.message ?? stderr).trim().split('\n').join('; ')}`
  }
  return { unshare: [], impossible: `network namespaces cannot be created (${impossible})` }
}

/** Resolves with the command's standard output. Rejects with its standard error. */
export function run(command: readonly string[], input = ''): Promise<string> {
  const [file = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { env, timeout: limitMs }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${command.join(' ')}: ${stderr.trim() || error.message}\n${input}`))
    })
    // If a command ends before it has read its input, its exit code decides.
    child.stdin?.on('error', () => {}).end(input)
  })
}
