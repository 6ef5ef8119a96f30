import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { countListeners, type ListenerTarget, signalsIn } from './listeners.ts'

leakCheck()

test('300 listeners on one event: are counted, and the largest event is named', () => {
  const [busy, quiet] = [new EventTarget(), new EventTarget()]
  const targets: ListenerTarget[] = [
    { name: 'quiet', target: quiet, types: ['a', 'b'] },
    { name: 'busy', target: busy, types: ['a', 'b'] },
  ]
  assert.deepEqual(countListeners(targets), { total: 0, largest: undefined })
  quiet.addEventListener('a', () => {})
  const listeners = Array.from({ length: 300 }, () => () => {})
  for (const listener of listeners) busy.addEventListener('b', listener)
  assert.deepEqual(countListeners(targets), { total: 301, largest: { event: 'busy b', count: 300 } })
  for (const listener of listeners) busy.removeEventListener('b', listener)
  assert.deepEqual(countListeners(targets), { total: 1, largest: { event: 'quiet a', count: 1 } })
})

test('a target that knows the number of its listeners: is asked for it', () => {
  const target = Object.assign(new EventTarget(), { listenerCount: () => 7 })
  assert.equal(countListeners([{ name: 'own', target, types: ['a'] }]).total, 7)
})

test('signals of an object: are found in its properties, however they are held', () => {
  const [own, inner] = [new AbortController(), new AbortController()]
  const root = {
    own,
    queue: { inner: inner.signal, again: own },
    get costly(): never {
      return assert.fail('a getter was called')
    },
    many: new Map([['a', new AbortController()]]),
  }
  Object.assign(root, { self: root })
  const found = signalsIn('root', root)
  assert.deepEqual(
    found.map(({ name, target }) => [name, target]),
    [
      ['root.own', own.signal],
      ['root.queue.inner', inner.signal],
    ],
  )
  own.signal.addEventListener('abort', () => {})
  assert.deepEqual(countListeners(found), { total: 1, largest: { event: 'root.own abort', count: 1 } })
})

test('a large graph of objects: is searched up to a bound', () => {
  const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`key${i}`, { i }]))
  assert.deepEqual(signalsIn('wide', { ...wide, last: new AbortController() }), [])
  const deep = { a: { b: { c: { d: new AbortController() } } } }
  assert.deepEqual(signalsIn('deep', deep), [])
})
