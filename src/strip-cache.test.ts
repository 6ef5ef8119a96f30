import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { leakCheck } from './testing/leak-check.ts'

leakCheck()

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const some = path('./core/limits.ts')
const tell = `process.on('exit', () => console.log(process.moduleLoadList.some((name) => name.includes('amaro'))))`

/** Whether the compiler that takes types off was loaded into a process that ran this. */
function compiles(...args: readonly string[]): boolean {
  const flags = ['--disable-warning=ExperimentalWarning', '--experimental-strip-types']
  const preload = `--import=data:text/javascript,${encodeURIComponent(tell)}`
  return execFileSync(process.execPath, [...flags, preload, ...args], { encoding: 'utf8' }).trim() === 'true'
}

test('types are taken off by a process of its own, so the compiler is never in this one', () => {
  assert.equal(compiles(some), true, 'as Node.js does it')
  assert.equal(compiles(path('./run-stripped.js'), some), false)
  assert.equal(compiles(path('./run-stripped.js'), some), false, 'and again, now from the cache')
})
