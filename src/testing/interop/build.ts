import { createHash } from 'node:crypto'
import { addAbortListener } from 'node:events'
import { access, glob, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Subprocess } from '../../processes/subprocess.ts'
import type { Binary } from '../../stack/binaries.ts'
import { isOnPath } from '../requirement.ts'

/** Implementations whose guest is a program to build; the folder of that name has its sources. */
export const languages = ['go', 'rust'] as const
export type Language = (typeof languages)[number]

/** How to build in a folder, with the files that may stay for later builds in another. */
interface Toolchain {
  readonly program: string
  readonly env: Readonly<Record<string, string>>
  /** Downloads the dependencies: the only step that needs the network. */
  readonly fetch: readonly string[]
  readonly build: readonly string[]
  /** The program that it builds. */
  readonly built: string
}

const toolchains: Readonly<Record<Language, (cache: string) => Toolchain>> = {
  go: (cache) => ({
    program: 'go',
    // Go contacts no version control host: a module that the proxy does not serve is an error.
    env: { CGO_ENABLED: '0', GOVCS: '*:off', GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
    fetch: ['mod', 'download'],
    build: ['build', '-trimpath', '-ldflags', '-s -w', '-o', join(cache, 'go-guest'), '.'],
    built: join(cache, 'go-guest'),
  }),
  rust: (cache) => ({
    program: 'cargo',
    env: { CARGO_TARGET_DIR: join(cache, 'rust-target') },
    fetch: ['fetch', '--locked'],
    build: ['build', '--release', '--locked', '--offline'],
    built: join(cache, 'rust-target/release/guest'),
  }),
}

type Environment = Readonly<Record<string, string | undefined>>

/** The guest of this implementation, if these sources were built before on this machine. */
export async function findGuest(language: Language, env: Environment = process.env): Promise<Binary> {
  const path = await guestPath(language, env)
  return (await exists(path))
    ? { path }
    : { missing: `the ${language} guest is not built; npm run prove -- interop-${language} builds it` }
}

/**
 * Builds the guest of this implementation, unless these sources were built before. Takes a minute for go and four for
 * rust, on two processors.
 *
 * @returns What is missing without the toolchain, or if its dependencies cannot be downloaded.
 * @throws Error when the build fails.
 */
export async function buildGuest(
  language: Language,
  signal: AbortSignal,
  env: Environment = process.env,
): Promise<Binary> {
  const found = await findGuest(language, env)
  if ('path' in found) return found
  const cache = cacheDirectory(env)
  await mkdir(cache, { recursive: true })
  const toolchain = toolchains[language](cache)
  if (!isOnPath(toolchain.program, env)) return { missing: `${toolchain.program} is not installed` }
  const run = (args: readonly string[]) =>
    runStep([toolchain.program, ...args], sourcesOf(language), { ...env, ...toolchain.env }, signal)
  const fetched = await run(toolchain.fetch)
  if (fetched !== undefined) return { missing: `the dependencies of the ${language} guest are missing: ${fetched}` }
  const failure = await run(toolchain.build)
  if (failure !== undefined) throw new Error(`the ${language} guest does not build: ${failure}`)
  for await (const old of glob(`guest-${language}-*`, { cwd: cache })) await rm(join(cache, old))
  const path = await guestPath(language, env)
  await rename(toolchain.built, path)
  return { path }
}

function cacheDirectory(env: Environment): string {
  return join(env['HOME'] || homedir(), '.cache/tracemesh/interop')
}

/** Characters of the output of a failed step, for its error. */
const shownChars = 600

/** Runs a step of a build in the folder of its sources; returns the end of its output if it fails. */
async function runStep(
  command: readonly string[],
  cwd: string,
  env: Environment,
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted()
  const child = new Subprocess({ name: command.slice(0, 2).join(' '), command, cwd, env, ownGroup: true })
  using _ = addAbortListener(signal, () => void child.stop(3_000))
  const { code, output } = await child.exited
  signal.throwIfAborted()
  return code === 0 ? undefined : output.trim().slice(-shownChars)
}

function sourcesOf(language: Language): string {
  return join(import.meta.dirname, language)
}

/** Its name has a hash of the sources, so that changed sources are built again. */
async function guestPath(language: Language, env: Environment): Promise<string> {
  const cwd = sourcesOf(language)
  const files = (await Array.fromAsync(glob('**/*.{go,mod,sum,rs,toml,lock}', { cwd }))).sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(await readFile(join(cwd, file)))
  return join(cacheDirectory(env), `guest-${language}-${hash.digest('hex').slice(0, 16)}`)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
