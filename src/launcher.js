import { spawn } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

// Plain JavaScript that Node 18 can read: it is what says that the Node at hand is too old.

/** Oldest Node.js that OpenTelemetry JS 3 and js-libp2p 3 run on. */
const oldest = [22, 15]

/** What has to be set before the process exists: code that already runs cannot change it. */
export const processSettings = Object.freeze({
  /** Young generation of 1 MiB: 21 MB less resident memory, for more frequent scavenges. */
  flag: '--max-semi-space-size=1',
  env: Object.freeze({
    /** One thread of the native QUIC runtime: the same CPU, the far shorter tail of latencies. */
    TOKIO_WORKER_THREADS: '1',
    /** One malloc arena, and large blocks given back at once: about 5 MB less resident memory. */
    MALLOC_ARENA_MAX: '1',
    MALLOC_MMAP_THRESHOLD_: '131072',
  }),
})

const semiSpace = /(^|\s)--max[-_]semi[-_]space[-_]size\b/

/**
 * Process settings that nobody chose: neither as recommended nor set to something else on purpose.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @param {readonly string[]} [flags] Flags that Node was started with.
 * @returns {string[]} Each as it should be set, for example `TOKIO_WORKER_THREADS=1`.
 */
export function missingSettings(env = process.env, flags = process.execArgv) {
  const missing = Object.entries(processSettings.env)
    .filter(([name]) => env[name] === undefined)
    .map(([name, value]) => `${name}=${value}`)
  const flagged = semiSpace.test(flags.join(' ')) || semiSpace.test(env['NODE_OPTIONS'] ?? '')
  return flagged ? missing : [processSettings.flag, ...missing]
}

/** This machine, as Node's own HTTP client reads it from `no_proxy`. */
const loopbackHosts = ['localhost', '127.0.0.1', '::1']

/**
 * Node's HTTP client sends everything through the proxy of the environment once it is told to use one
 * (`NODE_USE_ENV_PROXY`, `--use-env-proxy`), also what is meant for this machine, where no proxy can reach.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} [flags] Flags that Node was started with.
 * @returns {Record<string, string>} What the environment lacks: `no_proxy` with the names of loopback, or nothing.
 */
export function missingProxyExemption(env = process.env, flags = process.execArgv) {
  const uses =
    env['NODE_USE_ENV_PROXY'] === '1' || `${flags.join(' ')} ${env['NODE_OPTIONS']}`.includes('--use-env-proxy')
  const given = (env['no_proxy'] ?? env['NO_PROXY'] ?? '').split(',').map((host) => host.trim())
  const missing = loopbackHosts.filter((host) => !given.includes(host))
  if (!uses || given.includes('*') || missing.length === 0) return {}
  return { no_proxy: [...given.filter((host) => host !== ''), ...missing].join(',') }
}

/**
 * Runs `entry` in a fit Node.js with the process settings above, whatever Node.js this is.
 *
 * In place of this process where the platform can (`process.execve`), otherwise as a child whose signals and exit
 * code are passed on; in this very process when all is set already. Prints one line and exits with 2 when there is
 * no fit Node.js. What the user has set is never overridden.
 *
 * @param {string} entry Absolute path of a module, `.js` or `.ts`.
 * @param {readonly string[]} args
 * @param {{ nodeFlags?: readonly string[] }} [options] `nodeFlags`: further flags that the entry needs.
 * @returns {Promise<void>}
 */
export async function launch(entry, args, { nodeFlags = [] } = {}) {
  const node = fitNode()
  if (node === undefined) return refuse()
  const flags = flagsFor(entry, node.version, nodeFlags)
  const here = sameFile(node.path, process.execPath)
  const exemption = missingProxyExemption()
  const fit = missingSettings().length === 0 && Object.keys(exemption).length === 0
  if (here && fit && flags.every((flag) => process.execArgv.includes(flag))) {
    process.argv = [process.execPath, entry, ...args]
    await import(pathToFileURL(entry).href)
    return
  }
  const env = { ...processSettings.env, ...process.env, ...exemption }
  const command = [...flags, entry, ...args]
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    // Its ExperimentalWarning is never printed: the process is replaced before the warning's turn comes.
    process.execve(node.path, [node.path, ...command], env)
  }
  supervise(node.path, command, env)
}

/**
 * @param {string} entry
 * @param {readonly number[]} version
 * @param {readonly string[]} wanted
 */
function flagsFor(entry, version, wanted) {
  const [major = 0, minor = 0] = version
  const settings = missingSettings().includes(processSettings.flag) ? [processSettings.flag] : []
  const strips = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)
  const types = entry.endsWith('.ts') && !strips ? ['--experimental-strip-types'] : []
  return [...new Set([...process.execArgv, ...settings, '--disable-warning=ExperimentalWarning', ...types, ...wanted])]
}

/** @returns {{ path: string, version: readonly number[] } | undefined} */
function fitNode() {
  const running = { path: process.execPath, version: versionOf(process.versions.node) }
  return bundledNode() ?? (isFit(running.version) ? running : undefined)
}

/**
 * The Node.js that a clone brings along (workspace `runtime`); a published package has none.
 *
 * @returns {{ path: string, version: readonly number[] } | undefined}
 */
function bundledNode() {
  const workspace = fileURLToPath(new URL('./runtime/package.json', import.meta.url))
  if (process.env['TRACEMESH_NO_BUNDLED_NODE'] === '1' || !existsSync(workspace) || !hasGlibc()) return undefined
  const platform = process.platform === 'win32' ? 'win' : process.platform
  try {
    const manifest = createRequire(workspace).resolve(`node-${platform}-${process.arch}/package.json`)
    const path = join(dirname(manifest), 'bin', platform === 'win' ? 'node.exe' : 'node')
    const version = versionOf(JSON.parse(readFileSync(manifest, 'utf8')).version)
    return existsSync(path) && isFit(version) ? { path, version } : undefined
  } catch {
    return undefined // an optional package: not installed on this platform
  }
}

/** The bundled Linux binaries are linked against glibc: without its loader (Alpine) they cannot start. */
function hasGlibc() {
  if (process.platform !== 'linux') return true
  return ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].some((loader) => existsSync(loader))
}

/** @param {string} text */
function versionOf(text) {
  return text.split('.').map(Number)
}

/** @param {readonly number[]} version */
function isFit([major = 0, minor = 0]) {
  const [oldestMajor = 0, oldestMinor = 0] = oldest
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

/**
 * @param {string} a
 * @param {string} b
 */
function sameFile(a, b) {
  return a === b || realpathSync(a) === realpathSync(b)
}

function refuse() {
  process.stderr.write(
    `tracemesh needs Node.js ${oldest.join('.')} or newer and this is ${process.versions.node}: ` +
      'install Node.js 24 (https://nodejs.org), or in a clone run `npm ci`, which brings one along.\n',
  )
  process.exit(2)
}

/**
 * @param {string} path
 * @param {readonly string[]} command
 * @param {NodeJS.ProcessEnv} env
 */
function supervise(path, command, env) {
  // By the channel it learns that this process is gone, even by SIGKILL: then it stops as by a signal.
  const child = spawn(path, command, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env })
  process.once('disconnect', () => child.connected && child.disconnect())
  /** @type {readonly NodeJS.Signals[]} */
  const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of forwarded) process.on(signal, (name) => child.kill(name))
  child.on('error', (error) => {
    process.stderr.write(`tracemesh could not start ${path}: ${error.message}\n`)
    process.exit(2)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
    // Only reached when this process survives the signal: the shell's convention then.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100)
  })
}
