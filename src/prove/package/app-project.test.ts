import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { packagesOf } from '../../publish/manifest.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { root } from '../shell.ts'
import { adaptCode, readmeApplication, transportsIn } from './app-project.ts'

leakCheck()

const gossipsub = '@libp2p/gossipsub'

test('the README installs exactly the packages that its application imports', async () => {
  const { packages, code } = await readmeApplication()
  assert.deepEqual([...new Set(packagesOf(code))].sort(), [...packages].sort())
  assert.ok(packages.includes(gossipsub))
})

test('the application of the README: dials an address at which the seed of the README listens', async () => {
  const { code, seed } = await readmeApplication()
  const [, dialled = 'none'] = transportsIn(code)
  assert.equal(dialled, '/tcp/4001')
  assert.ok(transportsIn(seed.join(' ')).includes(dialled))
})

test('the gossipsub of the README: the sources import the same version by its alias', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const alias = dependencies['@chainsafe/libp2p-gossipsub']
  assert.equal(alias, `npm:${gossipsub}@${devDependencies[gossipsub]}`)
  const sources = globSync('src/**/*.ts', { cwd: root }).filter((file) => !file.includes('/prove/package/'))
  const importing = sources.filter((file) => packagesOf(readFileSync(join(root, file), 'utf8')).includes(gossipsub))
  assert.deepEqual(importing, [])
})

test('a change to the application of the README without a match: throws', () => {
  assert.equal(adaptCode('a b a', [['a', 'c']]), 'c b c')
  assert.throws(() => adaptCode('a', [['b', 'c']]), /has no b/)
})
