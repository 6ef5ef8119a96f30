import { glob, readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'

/** What counts here of a `package.json`. */
export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const specifier = /(?:\bfrom ?|\bimport ?|\bimport\(|\brequire\()(["'])([^"'\s]+)\1/g
const packageName = /^(?:@[^/]+\/)?[^/]+/

/** Bundles: what they leave outside is checked as they are made, and their text is no longer readable. */
const bundles = /^(?:cli|page)\/|^telemetry\/sdk\.js$/

/** Packages that the modules and the types in `directory` import by name, Node's own modules left out. */
export async function importedPackages(directory: string): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for await (const file of glob('**/*.{js,d.ts}', { cwd: directory })) {
    if (bundles.test(file)) continue
    for (const name of packagesOf(await readFile(join(directory, file), 'utf8'))) names.add(name)
  }
  return names
}

/** Without comments, where examples may import anything. */
export function packagesOf(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  return Array.from(code.matchAll(specifier), ([, , name]) => name ?? '')
    .filter((name) => !/^[.#/]/.test(name) && !isBuiltin(name))
    .map((name) => packageName.exec(name)?.[0] ?? name)
}

/**
 * The manifest of the published package: a dependency that `dist` does not import is inside a bundle, and is not
 * installed a second time.
 *
 * @param imported Packages that `dist` imports.
 * @throws Error when one of them is neither a dependency nor a peer dependency.
 */
export function publishedManifest<M extends Manifest>(manifest: M, imported: ReadonlySet<string>): M {
  const { dependencies = {}, peerDependencies = {}, name } = manifest
  const undeclared = [...imported].filter((one) => !(one in dependencies || one in peerDependencies || one === name))
  if (undeclared.length > 0)
    throw new Error(`dist imports ${undeclared.join(' and ')}, which package.json does not name`)
  const kept = Object.entries(dependencies).filter(([one]) => imported.has(one))
  return { ...manifest, dependencies: Object.fromEntries(kept) }
}
