import { isBuiltin } from 'node:module'

/** The fields of a `package.json` that the build reads. */
export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const specifier = /(?:\bfrom ?|\bimport ?|\bimport\(|\brequire\()(["'])([^"'\s]+)\1/g
const packageName = /^(?:@[^/]+\/)?[^/]+/

/** The import specifiers of a module, without those in comments, whose examples may import anything. */
export function specifiersOf(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  return Array.from(code.matchAll(specifier), ([, , name]) => name ?? '')
}

/** The packages that a module imports, without built-in modules. */
export function packagesOf(source: string): string[] {
  return specifiersOf(source)
    .filter((name) => !/^[.#/]/.test(name) && !isBuiltin(name))
    .map(packageOf)
}

/** The package of a specifier: `@libp2p/crypto` for `@libp2p/crypto/keys`. */
export function packageOf(specifier: string): string {
  return packageName.exec(specifier)?.[0] ?? specifier
}

/**
 * The manifest of the published package. It drops dependencies that `dist` does not import: they are bundled.
 *
 * @param imported Packages that `dist` imports.
 * @throws Error when one of them is neither a dependency nor a peer dependency.
 */
export function publishedManifest<M extends Manifest>(manifest: M, imported: ReadonlySet<string>): M {
  const { dependencies = {}, peerDependencies = {}, name } = manifest
  const undeclared = [...imported].filter((one) => !(one in dependencies || one in peerDependencies || one === name))
  if (undeclared.length > 0)
    throw new Error(`dist imports ${undeclared.join(' and ')}, which package.json does not declare`)
  const published = Object.entries(dependencies).filter(([one]) => imported.has(one))
  return { ...manifest, dependencies: Object.fromEntries(published) }
}
