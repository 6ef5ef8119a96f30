import { spawn } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

// Plain JavaScript that Node 18 can parse: it reports that the running Node.js is too old.

/** Oldest Node.js that OpenTelemetry JS 3 and js-libp2p 3 support. */
const oldest = [22, 15]

/** Settings that take effect only at the start of a process. */
export const processSettings = Object.freeze({
  /** A young generation of 1 MiB: 21 MB less resident memory, but more frequent scavenges. */
  flag: '--max-semi-space-size=1',
  env: Object.freeze({
    /** One thread of the native QUIC runtime: the same CPU, a much shorter latency tail. */
    TOKIO_WORKER_THREADS: '1',
    /** One malloc arena, and large blocks returned at once: about 5 MB less resident memory. */
    MALLOC_ARENA_MAX: '1',
    MALLOC_MMAP_THRESHOLD_: '131072',
  }),
})

const semiSpace = /(^|\s)--max[-_]semi[-_]space[-_]size\b/

/**
 * Process settings that are unset: neither the recommended value nor another one.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @param {readonly string[]} [flags] Flags that Node was started with.
 * @returns {string[]} Each with its recommended value, for example `TOKIO_WORKER_THREADS=1`.
 */
export function missingSettings(env = process.env, flags = process.execArgv) {
  const missing = Object.entries(processSettings.env)
    .filter(([name]) => env[name] === undefined)
    .map(([name, value]) => `${name}=${value}`)
  const hasFlag = semiSpace.test(flags.join(' ')) || semiSpace.test(env['NODE_OPTIONS'] ?? '')
  return hasFlag ? missing : [processSettings.flag, ...missing]
}

/** Loopback hosts, as Node's HTTP client reads them from `no_proxy`. */
const loopbackHosts = ['localhost', '127.0.0.1', '::1']

/**
 * With `NODE_USE_ENV_PROXY` or `--use-env-proxy` Node's HTTP client sends all requests through the proxy of the
 * environment, including those to loopback, which the proxy cannot reach.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly string[]} [flags] Flags that Node was started with.
 * @returns {Record<string, string>} `no_proxy` with the loopback hosts added, or nothing when none is missing.
 */
export function missingProxyExemption(env = process.env, flags = process.execArgv) {
  const usesProxy =
    env['NODE_USE_ENV_PROXY'] === '1' || `${flags.join(' ')} ${env['NODE_OPTIONS']}`.includes('--use-env-proxy')
  const exempt = (env['no_proxy'] ?? env['NO_PROXY'] ?? '').split(',').map((host) => host.trim())
  const missing = loopbackHosts.filter((host) => !exempt.includes(host))
  if (!usesProxy || exempt.includes('*') || missing.length === 0) return {}
  return { no_proxy: [...exempt.filter((host) => host !== ''), ...missing].join(',') }
}

/**
 * Runs `entry` in a supported Node.js with the process settings above.
 *
 * It replaces this process where the platform supports it (`process.execve`), otherwise it starts a child and forwards
 * signals and the exit code; with all settings in place it imports `entry` into this process. Prints one line and exits
 * with 2 without a supported Node.js. Never overrides settings of the user.
 *
 * @param {string} entry Absolute path of a module, `.js` or `.ts`.
 * @param {readonly string[]} args
 * @param {{ nodeFlags?: readonly string[] }} [options] `nodeFlags`: further flags that the entry needs.
 * @returns {Promise<void>}
 */
export async function launch(entry, args, { nodeFlags = [] } = {}) {
  const node = findNode()
  if (node === undefined) return exitUnsupported()
  const flags = flagsFor(entry, node.version, nodeFlags)
  const isThisNode = sameFile(node.path, process.execPath)
  const exemption = missingProxyExemption()
  const isConfigured = missingSettings().length === 0 && Object.keys(exemption).length === 0
  if (isThisNode && isConfigured && flags.every((flag) => process.execArgv.includes(flag))) {
    process.argv = [process.execPath, entry, ...args]
    await import(pathToFileURL(entry).href)
    return
  }
  const env = { ...processSettings.env, ...process.env, ...exemption }
  const command = [...flags, entry, ...args]
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    // Node.js does not print the ExperimentalWarning: it replaces the process first.
    process.execve(node.path, [node.path, ...command], env)
  }
  supervise(node.path, command, env)
}

/**
 * @param {string} entry
 * @param {readonly number[]} version
 * @param {readonly string[]} nodeFlags
 */
function flagsFor(entry, version, nodeFlags) {
  const [major = 0, minor = 0] = version
  const settings = missingSettings().includes(processSettings.flag) ? [processSettings.flag] : []
  const strips = major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)
  const types = entry.endsWith('.ts') && !strips ? ['--experimental-strip-types'] : []
  return [
    ...new Set([...process.execArgv, ...settings, '--disable-warning=ExperimentalWarning', ...types, ...nodeFlags]),
  ]
}

/** @returns {{ path: string, version: readonly number[] } | undefined} */
function findNode() {
  const running = { path: process.execPath, version: versionOf(process.versions.node) }
  return bundledNode() ?? (isSupported(running.version) ? running : undefined)
}

/**
 * The Node.js that a clone installs (workspace `runtime`); a published package has none.
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
    return existsSync(path) && isSupported(version) ? { path, version } : undefined
  } catch {
    return undefined // optional package, not installed on this platform
  }
}

/** The bundled Linux binaries need glibc: without its loader (Alpine) they cannot start. */
function hasGlibc() {
  if (process.platform !== 'linux') return true
  return ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].some((loader) => existsSync(loader))
}

/** @param {string} text */
function versionOf(text) {
  return text.split('.').map(Number)
}

/** @param {readonly number[]} version */
function isSupported([major = 0, minor = 0]) {
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

function exitUnsupported() {
  process.stderr.write(
    `tracemesh needs Node.js ${oldest.join('.')} or newer and this is ${process.versions.node}: ` +
      'install Node.js 24 (https://nodejs.org), or in a clone run `npm ci`, which installs one.\n',
  )
  process.exit(2)
}

/**
 * @param {string} path
 * @param {readonly string[]} command
 * @param {NodeJS.ProcessEnv} env
 */
function supervise(path, command, env) {
  // The child stops when the IPC channel closes, so it detects even a SIGKILL of this process.
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
    // If this process survives the signal, it exits with the code of the shell convention.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100)
  })
}
