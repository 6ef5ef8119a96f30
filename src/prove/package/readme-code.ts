import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../shell.ts'

export interface ReadmeApplication {
  /** Packages that the README tells to install, `tracemesh` among them. */
  readonly packages: readonly string[]
  readonly code: string
}

/** The application of the README as it stands there. Throws when the README has none. */
export async function readmeApplication(): Promise<ReadmeApplication> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const section = /^## In your own js-libp2p application$([\s\S]*?)^## /m.exec(readme)?.[1] ?? ''
  const install = /^npm install (.+)$/m.exec(section)?.[1]
  const code = /^```ts\n([\s\S]*?)^```$/m.exec(section)?.[1]
  if (install === undefined || code === undefined) throw new Error('README.md has no application to install and copy')
  return { packages: install.trim().split(/\s+/), code }
}

/** Every `from` replaced by its `to`. Throws when one is not there: the text has changed, and the change would be lost. */
export function adaptCode(code: string, changes: readonly (readonly [from: string, to: string])[]): string {
  let text = code
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the application of the README has no ${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}
