import { pathToFileURL } from 'node:url'
import { useStripCache } from './strip-cache.js'

// `node src/run-stripped.js FILE ARGUMENTS...`: as `node FILE ARGUMENTS...`, with types taken off beforehand.
const [node = '', , entry = ''] = process.argv.splice(0, 3)
process.argv.unshift(node, entry)
useStripCache()
await import(pathToFileURL(entry).href)
