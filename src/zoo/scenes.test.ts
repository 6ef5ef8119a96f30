import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { specifiersOf } from '../publish/manifest.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { leaks } from './outside/leaks.ts'
import { leastActsOf } from './plant.ts'
import { plants } from './plants.ts'
import { scenes } from './scenes.ts'
import { shapes } from './shapes.ts'

leakCheck()

const planted = scenes.filter(({ truth }) => truth !== undefined)

test('a shape of the zoo: its scene plants the same disease', () => {
  for (const { id, disease } of shapes)
    assert.equal(planted.find(({ name }) => name === id)?.truth?.disease, disease, id)
})

test('a scene: its plants exist, and each plant has a scene', () => {
  const used = scenes.flatMap(({ nodes }) => nodes.flatMap(({ plant }) => plant ?? []))
  const known = [...Object.keys(plants), ...Object.keys(leaks)]
  assert.deepEqual(new Set(used), new Set(known))
})

test('a plant that acts again and again: one act is not enough for a run', () => {
  for (const [name, plant] of Object.entries({ ...plants, ...leaks }))
    if (['tick', 'join', 'leave', 'order'].some((act) => act in plant)) assert.ok(leastActsOf(plant) > 1, name)
})

test('a node of a scene: its name does not betray a disease', () => {
  for (const { name, nodes } of scenes) for (const node of nodes) assert.match(node.name, /^node-\d$/, name)
})

test('a scene with a disease: it blames nodes that it has', () => {
  for (const { name, nodes, truth } of planted)
    for (const blamed of truth?.nodes ?? [])
      assert.ok(blamed === '' || nodes.some((node) => node.name === blamed), name)
})

test('the code of the product, beside the generator of its pages: it imports nothing of the zoo', () => {
  const src = resolve(import.meta.dirname, '..')
  const product = globSync('**/*.{ts,tsx,js}', { cwd: src }).filter(
    (file) => !/^(zoo|testing|prove|handbook)\b|\.test\.ts$/.test(file),
  )
  const importers = product.filter((file) =>
    specifiersOf(readFileSync(join(src, file), 'utf8')).some((specifier) => specifier.includes('/zoo/')),
  )
  assert.deepEqual(importers, [])
})
