import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Metafile } from 'esbuild'
import { leakCheck } from '../testing/leak-check.ts'
import { findClassicZod, forbiddenPackages, packagesLoadedBy } from './bundle-kit.ts'

leakCheck()

type Import = Metafile['outputs'][string]['imports'][number]

const loads = (path: string): Import => ({ path, kind: 'import-statement', external: true })
const loadsLater = (path: string): Import => ({ path, kind: 'dynamic-import', external: true })
const chunk = (path: string): Import => ({ path, kind: 'import-statement' })
const laterChunk = (path: string): Import => ({ path, kind: 'dynamic-import' })

/** The metafile of a kit with a chunk that two entries share, and a lazy chunk. */
function metafileOf(shared: readonly Import[]): Pick<Metafile, 'outputs'> {
  const output = (imports: readonly Import[], entryPoint?: string) => ({
    bytes: 1,
    inputs: {},
    exports: [],
    imports: [...imports],
    ...(entryPoint !== undefined && { entryPoint }),
  })
  return {
    outputs: {
      'index.js': output(
        [loads('node:fs'), loads('@libp2p/interface'), chunk('shared.js'), laterChunk('later.js')],
        'index.ts',
      ),
      'libp2p.js': output([loads('@libp2p/quic'), chunk('shared.js')], 'libp2p.ts'),
      'shared.js': output(shared),
      'later.js': output([loads('@libp2p/noise')]),
    },
  }
}

test('packages of an entry: static imports of its chunks, without built-in modules and dynamic imports', () => {
  const kit = metafileOf([loads('@opentelemetry/api'), loadsLater('@libp2p/quic')])
  assert.deepEqual(packagesLoadedBy(kit, 'index.ts'), ['@libp2p/interface', '@opentelemetry/api'])
  assert.deepEqual(packagesLoadedBy(kit, 'libp2p.ts'), ['@libp2p/quic', '@opentelemetry/api'])
  assert.throws(() => packagesLoadedBy(kit, 'other.ts'), /nothing was built from other.ts/)
})

test('an entry that loads a transport or gossipsub through a chunk: refused; the gossipsub RPC format: allowed', () => {
  assert.deepEqual(forbiddenPackages(metafileOf([loads('@chainsafe/libp2p-gossipsub/message')]), 'index.ts'), [])
  for (const name of ['@libp2p/quic', '@libp2p/tcp', '@chainsafe/libp2p-gossipsub', 'pino', 'zod'])
    assert.deepEqual(forbiddenPackages(metafileOf([loads(name)]), 'index.ts'), [name])
})

test('schemas of zod in a kit are detected, those of zod/mini are allowed', () => {
  const [own, mini] = ['node_modules/zod/v4/classic/schemas.js', 'node_modules/zod/v4/mini/schemas.js'] as const
  assert.equal(findClassicZod({ inputs: { [mini]: {}, [own]: {} } }), own)
  assert.equal(findClassicZod({ inputs: { [mini]: {} } }), undefined)
})
