import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMeshError } from '../core/errors.ts'
import { systemClock } from '../kit/clock.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { type FakeAlert, fakeStack } from '../testing/stack/fake-stack.ts'
import { judge } from './judge.ts'
import { Alertmanager } from './stack-api.ts'

// The pool of `fetch` keeps a connection for some seconds after its last use.
leakCheck({ graceMs: 8_000 })

const of = (mesh_id: string, state: FakeAlert['state'], alertname = 'A', traces?: string): FakeAlert => ({
  ...(traces !== undefined && { annotations: { traces } }),
  labels: { alertname, mesh_id },
  state,
})

test('alerts in Alertmanager: firing when an alert of the mesh, or of any mesh, is active', async () => {
  let alerts: readonly FakeAlert[] = []
  await using fake = await fakeStack({ alerts: () => alerts })
  const alertmanager = new Alertmanager(fake.url)
  const stateWith = async (mesh: string | undefined, ...present: FakeAlert[]) => {
    alerts = present
    return alertmanager.state('A', mesh)
  }
  assert.equal(await stateWith('m'), 'inactive')
  assert.equal(await stateWith('m', of('m', 'active')), 'firing')
  assert.equal(await stateWith('m', of('m', 'unprocessed')), 'inactive')
  assert.equal(await stateWith('m', of('m', 'suppressed')), 'suppressed')
  assert.equal(await stateWith('m', of('m', 'suppressed'), of('m', 'active')), 'firing')
  assert.equal(await stateWith('m', of('other', 'active')), 'inactive')
  assert.equal(await stateWith('m', of('m', 'active', 'B')), 'inactive')
  assert.equal(await stateWith(undefined, of('other', 'active')), 'firing')
  assert.equal(fake.requests[0], `/api/v2/alerts?${new URLSearchParams({ filter: 'alertname="A"' })}`)
})

test('links: those of active alerts only, and none without the annotation', async () => {
  let alerts = [of('other', 'active', 'A', 'x'), of('m', 'suppressed', 'A', 'y')]
  await using fake = await fakeStack({ alerts: () => alerts })
  const alertmanager = new Alertmanager(fake.url)
  assert.deepEqual(await alertmanager.links('A', 'm'), [])
  alerts = [...alerts, of('m', 'active', 'A', 'http://jaeger/search')]
  assert.deepEqual(await alertmanager.links('A', 'm'), ['http://jaeger/search'])
  assert.deepEqual(await alertmanager.links('A', undefined), ['x', 'http://jaeger/search'])
  alerts = [of('m', 'active')]
  assert.deepEqual(await alertmanager.links('A', 'm'), [])
  assert.deepEqual(await alertmanager.all('active'), [{ alertname: 'A', mesh_id: 'm' }])
  assert.deepEqual(await alertmanager.all('suppressed'), [])
})

test('no answer, an error status, an invalid answer: one error each, with the flag', async () => {
  const failsWith = (reason: RegExp) => (error: unknown) =>
    isMeshError(error, 'MESH_STACK_UNREACHABLE') && reason.test(error.message) && /--alertmanager/.test(error.message)
  for (const [answer, reason] of [
    [500, /it answered 500/],
    ['<html>', /JSON/],
    ['[{"labels":{}}]', /unexpected answer/],
  ] as const) {
    await using fake = await fakeStack({ alerts: () => answer })
    await assert.rejects(new Alertmanager(fake.url).state('A', 'm'), failsWith(reason))
  }
  await assert.rejects(new Alertmanager('http://127.0.0.1:9').check(), failsWith(/ECONNREFUSED|bad port/))
})

test('an answer at the third attempt is accepted', async () => {
  let attempt = 0
  await using fake = await fakeStack({ alerts: () => (++attempt < 3 ? 503 : [of('m', 'active')]) })
  assert.equal(await new Alertmanager(fake.url).state('A', 'm'), 'firing')
})

test('a drill against Alertmanager: ok', async () => {
  const state = { isFiring: false }
  await using fake = await fakeStack({ alerts: () => (state.isFiring ? [of('m', 'active')] : []) })
  const alertmanager = new Alertmanager(fake.url)
  const condition = {
    prepare: async () => {},
    cause: async (caused: (alert: string) => void) => {
      caused('A')
      state.isFiring = true
    },
    heal: async () => {
      state.isFiring = false
    },
  }
  const source = { state: () => alertmanager.state('A', 'm'), links: () => alertmanager.links('A', 'm') }
  const watched = { alert: 'A', statedMs: 5_000, endMs: 5_000, ...source }
  const { signal } = new AbortController()
  const [result] = await judge([watched], condition, { clock: systemClock, signal, log: () => {} })
  assert.equal(result?.verdict, 'ok')
})
