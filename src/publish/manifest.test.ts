import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { checkDependencies, packagesOf } from './manifest.ts'

leakCheck()

const manifest = {
  name: 'tracemesh',
  dependencies: { pino: '10.4.0' },
  peerDependencies: { '@opentelemetry/api': '^1.9.0' },
}

test('the dependencies: exactly the packages that dist imports, without peers and the package itself', () => {
  checkDependencies(manifest, new Set(['pino', '@opentelemetry/api', 'tracemesh']))
  assert.throws(() => checkDependencies(manifest, new Set(['pino', 'fastify'])), /dist imports fastify/)
  assert.throws(() => checkDependencies(manifest, new Set(['@opentelemetry/api'])), /dist does not import pino/)
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
