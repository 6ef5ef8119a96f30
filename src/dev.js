import { resolve } from 'node:path'
import { launch } from './launcher.js'

// `node src/dev.js FILE ARGUMENTS...`: runs any file of the clone in the Node.js that the project is made for.
const [file, ...args] = process.argv.slice(2)

if (file === undefined) {
  process.stderr.write('usage: node src/dev.js FILE [ARGUMENTS...]\n')
  process.exit(2)
}
await launch(resolve(file), args)
