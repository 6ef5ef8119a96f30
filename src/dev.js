import { resolve } from 'node:path'
import { launch } from './launcher.js'

// `node src/dev.js FILE ARGUMENTS...` runs a file of the clone in the bundled Node.js.
const [file, ...args] = process.argv.slice(2)

if (file === undefined) {
  process.stderr.write('usage: node src/dev.js FILE [ARGUMENTS...]\n')
  process.exit(2)
}
await launch(resolve(file), args)
