import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

/** Modules are loaded once in a process, so each question needs one of its own. */
function answer(code: string): unknown {
  const flags = ['--disable-warning=ExperimentalWarning', '--experimental-strip-types', '--input-type=module']
  const text = execFileSync(process.execPath, [...flags, '-e', code], { cwd: import.meta.dirname, encoding: 'utf8' })
  return JSON.parse(text)
}

const load = `import { createRequire, registerHooks } from 'node:module'
const loaded = []
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
const { loadNodeSdk } = await import('./load-node-sdk.ts')
const factory = await loadNodeSdk()
const say = (value) => process.stdout.write(JSON.stringify(value))`

test('NodeSDK comes without what only a configuration file needs', () => {
  const counts = `${load}
  const count = (part) => loaded.filter((url) => url.includes(part)).length
  say([count('/@opentelemetry/sdk-node/') > 0, count('/@opentelemetry/configuration/'), count('/yaml/')])`
  assert.deepEqual(answer(counts), [true, 0, 0])
})

test('it makes tracers, and whoever else asks for the configuration package gets it', () => {
  const spans = `${load}
  const { resourceFromAttributes } = await import('@opentelemetry/resources')
  const ended = []
  const none = () => Promise.resolve()
  const processor = { onStart() {}, onEnd: (span) => ended.push(span.name), forceFlush: none, shutdown: none }
  const sampler = { shouldSample: () => ({ decision: 2 }), toString: () => 'all' }
  const ids = { generateTraceId: () => 'a'.repeat(32), generateSpanId: () => 'b'.repeat(16) }
  const provider = factory({ resource: resourceFromAttributes({}), processor, idGenerator: ids, sampler })
  provider.tracer.startSpan('told').end()
  await provider.shutdown()
  const { parseConfigFile } = await import('@opentelemetry/configuration')
  say([ended, /without/.test(String(parseConfigFile))])`
  assert.deepEqual(answer(spans), [['told'], false])
})
