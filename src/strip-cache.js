import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

// Node.js takes types off with a compiler that stays in memory, 20 MB of it, for as long as the process lives. Here a
// process of its own does it, once for each version of a file; what runs a node only reads the outcome.

const here = fileURLToPath(import.meta.url)
const sources = dirname(here)
const cache = join(sources, '../node_modules/.cache/tracemesh')
const hashLength = 64

/** From now on TypeScript of this clone is read from the cache; what is not in it is left to Node.js. */
export function useStripCache() {
  let filled = false
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context)
      const file = fileURLToPath(url)
      if (relative(sources, file).startsWith('..')) return nextLoad(url, context)
      const code = readFileSync(file, 'utf8')
      let source = held(file, code)
      if (source === undefined && !filled) {
        filled = true
        spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', here], { stdio: 'ignore' })
        source = held(file, code)
      }
      return source === undefined ? nextLoad(url, context) : { format: 'module', shortCircuit: true, source }
    },
  })
}

/**
 * The code without its types; undefined when the cache has none, or that of another version.
 *
 * @param {string} file
 * @param {string} code
 */
function held(file, code) {
  try {
    const text = readFileSync(place(file), 'utf8')
    return text.startsWith(hash(code)) ? text.slice(hashLength) : undefined
  } catch {
    return undefined
  }
}

/** @param {string} file */
function place(file) {
  return join(cache, `${relative(sources, file)}.js`)
}

/** @param {string} code */
function hash(code) {
  return createHash('sha256').update(`${process.version} ${code}`).digest('hex')
}

/** Strips every file that has changed. Replaced in one step, since others may be reading. */
function fill() {
  for (const name of globSync('**/*.ts', { cwd: sources })) {
    const file = join(sources, name)
    const code = readFileSync(file, 'utf8')
    if (held(file, code) !== undefined) continue
    const target = place(file)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(`${target}.${process.pid}`, hash(code) + stripTypeScriptTypes(code))
    renameSync(`${target}.${process.pid}`, target)
  }
}

if (process.argv[1] === here) fill()
