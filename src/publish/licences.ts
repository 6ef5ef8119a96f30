import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const packageOf = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//
const licenceFile = /^(licen[cs]e|copying|notice)/i

/**
 * The licences of the packages whose files are in a bundle, as one text.
 *
 * @param files Paths within `root`, with forward slashes.
 */
export async function licences(files: readonly string[], root: string): Promise<string> {
  const directories = new Set(files.flatMap((file) => packageOf.exec(file)?.[1] ?? []))
  const texts = await Promise.all([...directories].sort().map((directory) => licence(join(root, directory))))
  return texts.join(`\n${'-'.repeat(80)}\n`)
}

async function licence(directory: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as {
    name: string
    version: string
    license?: string
  }
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isFile() && licenceFile.test(entry.name)).map(({ name }) => name)
  const texts = await Promise.all(names.sort().map((name) => readFile(join(directory, name), 'utf8')))
  return [`${manifest.name} ${manifest.version}: ${manifest.license ?? 'see below'}\n`, ...texts].join('\n')
}
