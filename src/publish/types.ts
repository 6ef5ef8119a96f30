import { glob, readFile, rm } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { packagesOf, specifiersOf } from './manifest.ts'

/**
 * Removes the declarations in `directory` that `entries` do not reach: the compiler writes one for each module.
 *
 * @returns The packages whose types the remaining declarations use.
 */
export async function pruneTypes(directory: string, entries: readonly string[]): Promise<string[]> {
  const packages = new Set<string>()
  // The loop adds imported files to the set and visits them, too.
  const files = new Set(entries)
  for (const file of files) {
    const source = await readFile(join(directory, file), 'utf8')
    for (const name of packagesOf(source)) packages.add(name)
    for (const specifier of specifiersOf(source).filter((one) => one.startsWith('.')))
      files.add(normalize(join(dirname(file), specifier.replace(/\.[jt]s$/, '.d.ts'))))
  }
  for await (const file of glob('**/*.d.ts', { cwd: directory })) if (!files.has(file)) await rm(join(directory, file))
  return [...packages]
}
