import assert from 'node:assert/strict'
import { test } from 'node:test'
import packageManifest from '../../package.json' with { type: 'json' }
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

test('package.json: the application installs no package of the commands or of the SDK, and shares three with the kit', () => {
  const { dependencies, peerDependencies } = packageManifest
  assert.deepEqual(Object.keys(peerDependencies), ['@libp2p/interface', '@opentelemetry/api', 'libp2p'])
  const bundled = /^(?:fastify|commander|zod|pino|@grpc\/.*|@opentelemetry\/.*)$/
  assert.deepEqual(
    Object.keys(dependencies).filter((name) => bundled.test(name)),
    [],
  )
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
