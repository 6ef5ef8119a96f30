import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { nearest } from './flag-table.ts'

leakCheck()

const keys = ['MESH_SEEDS', 'MESH_SWEEP_MS', 'MESH_STALENESS_MS']

test('a typo: the closest candidate is suggested', () => {
  assert.equal(nearest('MESH_SEED', keys), 'MESH_SEEDS')
  assert.equal(nearest('mesh_stalenes_ms', keys), 'MESH_STALENESS_MS')
  assert.equal(nearest('MESH_SEWEP_MS', keys), 'MESH_SWEEP_MS')
})

test('a text unlike every candidate: nothing is suggested', () => {
  assert.equal(nearest('MESH_COLOUR_OF_THE_SKY', keys), '')
  assert.equal(nearest('', keys), '')
  assert.equal(nearest('MESH_SEEDS', []), '')
})
