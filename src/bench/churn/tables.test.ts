import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { allTables, findService, namedTables } from './tables.js'

leakCheck()

const isDeparted = (key: unknown) => typeof key === 'string' && key.startsWith('departed-')

/** Keeps what no one else can reach. */
class Hoarder {
  readonly #kept = new Map<string, object>()
  readonly #seen = new Set<string>()

  keep(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#kept.set(`departed-${i}`, {})
      this.#seen.add(`departed-${i}`)
    }
  }

  clear(): void {
    this.#kept.clear()
    this.#seen.clear()
  }
}

test('private tables of an object: found with their departed keys, and no longer once they are empty', async () => {
  const hoarder = new Hoarder()
  const ownSizes = async () =>
    (await allTables(isDeparted)).map(({ name, size, departed }) => ({ name, size, departed }))
  assert.deepEqual(await ownSizes(), [])
  hoarder.keep(7)
  assert.deepEqual(await ownSizes(), [
    { name: 'Map of Object', size: 7, departed: 7 },
    { name: 'Set of string', size: 7, departed: 7 },
  ])
  hoarder.clear()
  assert.deepEqual(await ownSizes(), [])
})

test('tables below an object: sizes by path, those of a map of tables together', () => {
  const mesh = new Map([
    ['news', new Set(['departed-1', 'here'])],
    ['sum', new Set(['departed-1'])],
  ])
  const gossip = { mesh, queue: { jobs: ['a'] }, components: { hidden: new Map([[1, 2]]) } }
  const tables = namedTables({ gossip }, isDeparted)
  const counts = Array.from(tables.values(), ({ name, size, departed }) => [name, size, departed])
  assert.deepEqual(counts, [
    ['gossip.mesh', 2, 0],
    ['gossip.mesh[]', 3, 2],
    ['gossip.queue.jobs', 1, 0],
  ])
})

test('a service: found by its tag', async () => {
  class Service extends EventTarget {
    readonly [Symbol.toStringTag] = 'churn-test-service'
  }
  const service = new Service()
  assert.equal(await findService('churn-test-service'), service)
  assert.equal(await findService('churn-test-nothing'), undefined)
})
