import { mkdir, mkdtempDisposable } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { buildPackage } from '../publish/build.ts'

const root = resolve(import.meta.dirname, '../..')

export interface BuiltPackage extends AsyncDisposable {
  /** The command of the package, which `npx tracemesh` starts. */
  readonly bin: string
  /** Where its `package.json` is. */
  readonly directory: string
}

/** Builds the package as published. */
export async function buildTestPackage(): Promise<BuiltPackage> {
  const built = await buildInClone(buildPackage)
  return { bin: join(built.directory, 'dist/bin.js'), ...built }
}

/** Builds into a temporary directory inside the clone, so that the result finds the clone's dependencies. */
export async function buildInClone(
  build: (directory: string) => Promise<void>,
): Promise<AsyncDisposable & { readonly directory: string }> {
  const parent = join(root, '.tracemesh')
  await mkdir(parent, { recursive: true })
  const { path, remove } = await mkdtempDisposable(join(parent, 'build-'))
  await build(path).catch((error: unknown) => remove().finally(() => Promise.reject(error)))
  return { directory: path, [Symbol.asyncDispose]: remove }
}

const strict =
  '--ignoreConfig --strict --exactOptionalPropertyTypes --verbatimModuleSyntax --target es2024 --types node'

/** Flags of `tsc` for the sources of an application, for both ways in which it looks packages up. */
export const compilerFlags = {
  nodenext: `${strict} --module nodenext`,
  bundler: `${strict} --module preserve --moduleResolution bundler`,
}
