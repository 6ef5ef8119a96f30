import { isBuiltin } from 'node:module'

/** The fields of a `package.json` that the build reads. */
export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
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
 * Checks that the package installs what `dist` imports, and nothing else. A bundled package is a development dependency.
 *
 * @param imported Packages that `dist` imports.
 * @throws Error when one is neither a dependency nor a peer dependency, or when a dependency is not among them.
 */
export function checkDependencies(manifest: Manifest, imported: ReadonlySet<string>): void {
  const { dependencies = {}, peerDependencies = {}, name } = manifest
  const undeclared = [...imported].filter((one) => !(one in dependencies || one in peerDependencies || one === name))
  if (undeclared.length > 0)
    throw new Error(`dist imports ${undeclared.join(' and ')}, which package.json does not declare for applications`)
  const unused = Object.keys(dependencies).filter((one) => !imported.has(one))
  if (unused.length > 0)
    throw new Error(`dist does not import ${unused.join(' and ')}: in package.json it belongs to devDependencies`)
}
