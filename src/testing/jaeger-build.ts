import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Jaeger's version, and the tag of its Go module that holds it. */
export const jaegerVersion = '2.13.0'
const tag = 'v1.76.0'
const repository = 'github.com/jaegertracing/jaeger'
/** Jaeger's go.mod replaces this module; what replaces is not inherited by a module that requires Jaeger. */
const replacement = 'github.com/Shopify/sarama => github.com/Shopify/sarama v1.33.0'
/** An empty build cache took 264 s on two cores. */
const buildLimitMs = 20 * 60_000

export type JaegerBinary = { readonly path: string } | { readonly missing: string }

/**
 * A Jaeger binary to compare with: the one that `TRACEMESH_JAEGER` names, the one built before, or a new one, built
 * by Go from the pinned module, which takes minutes, and kept in `~/.cache/tracemesh`. Says what is missing when there is none.
 */
export async function jaegerBinary(signal?: AbortSignal): Promise<JaegerBinary> {
  const named = process.env['TRACEMESH_JAEGER']
  if (named !== undefined)
    return (await executable(named))
      ? { path: named }
      : { missing: `TRACEMESH_JAEGER names ${named}, which cannot run` }
  const cache = join(homedir(), '.cache/tracemesh')
  const path = join(cache, `jaeger-${jaegerVersion}`)
  if (await executable(path)) return { path }
  try {
    await mkdir(cache, { recursive: true })
    await buildJaeger(cache, path, signal)
    return { path }
  } catch (error) {
    const reason = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'Go is not installed' : error
    return { missing: `Jaeger ${jaegerVersion} could not be built: ${String(reason)}` }
  }
}

/** A module of our own that requires Jaeger as a tool: `go install` alone refuses a module with replacements. */
async function buildJaeger(cache: string, to: string, signal: AbortSignal | undefined): Promise<void> {
  const directory = await mkdtemp(join(cache, 'build-'))
  try {
    const env = { ...process.env, CGO_ENABLED: '0', GOVCS: '*:off', GOBIN: directory, GOFLAGS: '-mod=mod' }
    const options = { cwd: directory, env, timeout: buildLimitMs, maxBuffer: 64 << 20, signal }
    const run = (...args: string[]) => promisify(execFile)('go', args, options)
    const { stdout } = await run('mod', 'download', '-json', `${repository}@${tag}`)
    const { Dir: source } = JSON.parse(stdout) as { Dir: string }
    await writeFile(join(directory, 'go.mod'), `module tracemesh.local/jaeger\n\ngo 1.26.0\n\nreplace ${replacement}\n`)
    // Sums of modules that the checksum database no longer answers for; the file came inside a verified archive.
    await writeFile(join(directory, 'go.sum'), await readFile(join(source, 'go.sum')))
    const flags = `-s -w -X ${repository}/internal/version.latestVersion=v${jaegerVersion}`
    await run('get', '-tool', `${repository}/cmd/jaeger@${tag}`)
    await run('install', '-trimpath', '-ldflags', flags, `${repository}/cmd/jaeger`)
    await rename(join(directory, 'jaeger'), to)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

if (import.meta.main) {
  const binary = await jaegerBinary()
  process.stdout.write(`${JSON.stringify(binary)}\n`)
  process.exitCode = 'path' in binary ? 0 : 3
}
