import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildTestPackage } from '../testing/built-package.ts'
import { describeApi } from './api.ts'

// `npm run api` writes the public API of the package to `api.txt`, which a test compares with the build.

await using built = await buildTestPackage()
await writeFile(join(import.meta.dirname, 'api.txt'), await describeApi(join(built.directory, 'dist')))
