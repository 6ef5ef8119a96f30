import { isBuiltin } from 'node:module'

/** What counts here of a `package.json`. */
export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const specifier = /(?:\bfrom ?|\bimport ?|\bimport\(|\brequire\()(["'])([^"'\s]+)\1/g
const packageName = /^(?:@[^/]+\/)?[^/]+/

/** What a module imports and exports from, without comments, where examples may import anything. */
export function specifiersOf(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  return Array.from(code.matchAll(specifier), ([, , name]) => name ?? '')
}

/** Packages among it, Node's own modules left out. */
export function packagesOf(source: string): string[] {
  return specifiersOf(source)
    .filter((name) => !/^[.#/]/.test(name) && !isBuiltin(name))
    .map(packageOf)
}

/** Of `@libp2p/crypto/keys` it is `@libp2p/crypto`. */
export function packageOf(specifier: string): string {
  return packageName.exec(specifier)?.[0] ?? specifier
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
  const published = Object.entries(dependencies).filter(([one]) => imported.has(one))
  return { ...manifest, dependencies: Object.fromEntries(published) }
}
