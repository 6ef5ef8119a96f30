import { readFile, writeFile } from 'node:fs/promises'
import { withConfigDocs } from './config-docs.ts'

// `node src/dev.js src/node/write-config-docs.ts`: brings README's configuration section up to date.
const readme = new URL('../../README.md', import.meta.url)

await writeFile(readme, withConfigDocs(await readFile(readme, 'utf8')))
