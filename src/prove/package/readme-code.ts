import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../shell.ts'

export interface ReadmeApplication {
  /** Packages of the install command in the README, `tracemesh` included. */
  readonly packages: readonly string[]
  readonly code: string
}

/** The application of the README. Throws when the README has none. */
export async function readmeApplication(): Promise<ReadmeApplication> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const section = /^## In your own js-libp2p application$([\s\S]*?)^## /m.exec(readme)?.[1] ?? ''
  const install = /^npm install (.+)$/m.exec(section)?.[1]
  const code = /^```ts\n([\s\S]*?)^```$/m.exec(section)?.[1]
  if (install === undefined || code === undefined) throw new Error('README.md has no application to install and copy')
  return { packages: install.trim().split(/\s+/), code }
}

/** Replaces every `from` by its `to`. Throws when a `from` is missing, so that no change is lost. */
export function adaptCode(code: string, changes: readonly (readonly [from: string, to: string])[]): string {
  let text = code
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the application of the README has no ${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}
