import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { packagesOf, publishedManifest } from './manifest.ts'

leakCheck()

const manifest = {
  name: 'tracemesh',
  dependencies: { pino: '10.4.0', '@opentelemetry/sdk-node': '0.301.0' },
  peerDependencies: { '@opentelemetry/api': '^1.9.0' },
}

test('a dependency that dist does not import is not in the published manifest', () => {
  const published = publishedManifest(manifest, new Set(['pino', '@opentelemetry/api', 'tracemesh']))
  assert.deepEqual(published, { ...manifest, dependencies: { pino: '10.4.0' } })
})

test('a package that dist imports and the manifest does not declare: the build fails', () => {
  assert.throws(() => publishedManifest(manifest, new Set(['pino', 'fastify'])), /dist imports fastify/)
})

test('packages of a source: from imports and exports of values and types, not from comments', () => {
  const source = `
    /** import { example } from 'comment' */
    import { a } from '@scope/one/deep'
    import type { B } from "two";
    export type * from 'three'
    import 'four'
    const five = await import('five/path')
    type Six = import('six').Six
    import { readFile } from 'node:fs/promises'
    import { own } from './own.js'
  `
  assert.deepEqual(packagesOf(source), ['@scope/one', 'two', 'three', 'four', 'five', 'six'])
})
