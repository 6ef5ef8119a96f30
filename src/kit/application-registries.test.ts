import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { Owner } from '../core/owner.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { ApplicationRegistries } from './application-registries.ts'

leakCheck()

const audit = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }

function fixture() {
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const errors: string[] = []
  const registries = new ApplicationRegistries(owner, clock, (error, registry) => errors.push(`${registry}: ${error}`))
  registries.start()
  const spans = () =>
    (registries.evidence().children?.(audit) ?? []).map(({ attributes }) => attributes as Record<string, unknown>)
  const broken = () =>
    (registries.evidence().invariants ?? [])
      .filter(({ isBroken }) => isBroken)
      .map(({ name, owner, actual, expected }) => `${name} ${owner} ${actual}/${expected}`)
  return { clock, owner, errors, registries, spans, broken }
}

test('a registry: releases on removal, on expiry, when full and when closed, and the census counts each', () => {
  const { clock, owner, registries, spans, broken } = fixture()
  const released: string[] = []
  const sessions = registries.registry<string, string>('sessions', {
    capacity: 3,
    expiry: { idleMs: 10_000 },
    release: (value, key, reason) => released.push(`${key} ${value} ${reason}`),
  })
  for (const key of ['a', 'b', 'c', 'd']) sessions.set(key, key.toUpperCase())
  assert.equal(sessions.delete('b'), true)
  clock.advance(8_000)
  sessions.touch('c')
  clock.advance(7_000)
  assert.deepEqual([...sessions.keys()], ['c'])
  const [span] = spans()
  assert.equal(span?.['mesh.registry.name'], 'sessions')
  assert.deepEqual(
    ['size', 'capacity', 'added', 'released', 'evicted', 'removed', 'expired'].map(
      (name) => span?.[`mesh.registry.${name}`],
    ),
    [1, 3, 4, 3, 1, 1, 1],
  )
  assert.deepEqual(broken(), [])
  void owner.close()
  assert.deepEqual(released, ['a A evicted', 'b B removed', 'd D expired', 'c C closed'])
  assert.throws(
    () => sessions.set('e', 'E'),
    (error) => isMeshError(error, 'MESH_OWNER_CLOSED'),
  )
})

test('a watched collection: is counted, and one above its bound breaks an invariant with its name', () => {
  const { registries, spans, broken } = fixture()
  const cache = new Set(['a'])
  const end = registries.watch('cache', () => cache.size, { capacity: 1 })
  registries.watch('unbounded', () => 5_000)
  assert.deepEqual(broken(), [])
  cache.add('b')
  assert.deepEqual(broken(), ['registry-bound application cache 2/1'])
  assert.deepEqual(
    spans().map((span) => [span['mesh.registry.name'], span['mesh.registry.size']]),
    [
      ['cache', 2],
      ['unbounded', 5_000],
    ],
  )
  assert.deepEqual(registries.evidence().attributes, { 'mesh.audit.applications': ['cache 2', 'unbounded 5000'] })
  end()
  assert.deepEqual(broken(), [])
})

test('errors of the application, in `release` and in `size`: one line each with the name, and no size in the census', () => {
  const { registries, errors } = fixture()
  const fail = (what: string) => () => {
    throw new Error(what)
  }
  const one = registries.registry<string, string>('one', {
    capacity: 1,
    expiry: { event: 'never' },
    release: fail('release'),
  })
  registries.watch('two', fail('size'))
  one.set('a', 'A')
  one.delete('a')
  const { attributes, children, invariants } = registries.evidence()
  assert.deepEqual(attributes, { 'mesh.audit.applications': ['one 0'] })
  assert.equal(children?.(audit).length, 1)
  assert.equal(invariants?.length, 1)
  assert.deepEqual(errors, ['one: Error: release', 'two: Error: size'])
})

test('a census of a watched collection: reads its size once', () => {
  const { registries } = fixture()
  let reads = 0
  registries.watch('cache', () => ++reads, { capacity: 5 })
  const { attributes, children } = registries.evidence()
  assert.deepEqual(attributes, { 'mesh.audit.applications': ['cache 1'] })
  assert.deepEqual(
    children?.(audit).map((span) => span.attributes['mesh.registry.size' as never]),
    [1],
  )
  assert.equal(reads, 1)
})

test('a taken or bad name, a bound of zero or infinity, and a 33rd collection: are refused; a closed name is free', () => {
  const { registries } = fixture()
  const options = { capacity: 1, expiry: { event: 'never' } }
  const refused = (code: 'MESH_CONFIG_INVALID' | 'MESH_LIMIT_REACHED', call: () => unknown) =>
    assert.throws(call, (error) => isMeshError(error, code))
  const first = registries.registry('first', options)
  for (const name of ['first', '', 'a b', 'x'.repeat(65)]) {
    refused('MESH_CONFIG_INVALID', () => registries.registry(name, options))
    refused('MESH_CONFIG_INVALID', () => registries.watch(name, () => 0))
  }
  for (const capacity of [0, Infinity, 1.5, -1]) {
    refused('MESH_CONFIG_INVALID', () => registries.registry('second', { ...options, capacity }))
    refused('MESH_CONFIG_INVALID', () => registries.watch('second', () => 0, { capacity }))
  }
  first.close()
  registries.registry('first', options)
  for (let i = 1; i < limits.applicationRegistries; i++) registries.watch(`w${i}`, () => 0)
  refused('MESH_LIMIT_REACHED', () => registries.watch('last', () => 0))
})
