import { readFile, writeFile } from 'node:fs/promises'
import { withConfigDocs } from './config-docs.ts'

// `node src/dev.js src/node/write-config-docs.ts` updates docs/configuration.md.
const page = new URL('../../docs/configuration.md', import.meta.url)

await writeFile(page, withConfigDocs(await readFile(page, 'utf8')))
