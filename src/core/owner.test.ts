import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forAll } from '../testing/for-all.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { isMeshError } from './errors.ts'
import { limits } from './limits.ts'
import { Owner } from './owner.ts'

leakCheck()

/** The inventory of an owner that has released all it adopted. */
const nothing = (adopted: number) => ({ registries: [], resources: [], totals: { adopted, released: adopted } })

function makeOwner() {
  const clock = new VirtualClock()
  return { clock, owner: new Owner('node-a', clock) }
}

const resourceNames = (owner: Owner) => owner.inventory().resources.map(({ name }) => name)

/** Lets resolved promises settle. */
const settle = () => new Promise(setImmediate)

test('close: reverse order, children included, with the duration of each step', async () => {
  const { owner, clock } = makeOwner()
  const closed: string[] = []
  owner.adopt('first', () => void closed.push('first'))
  const map = owner.map<string, string>({
    name: 'peers',
    capacity: 2,
    expiry: { event: 'closing' },
    release: (value, _, reason) => void closed.push(`${value} ${reason}`),
  })
  map.set('p', 'peer', 0)
  const kit = owner.child('kit')
  kit.adopt('socket', () => new Promise((resolve) => void clock.after(30, () => resolve(void closed.push('socket')))))
  const closing = owner.close()
  clock.advance(30)
  assert.deepEqual(await closing, [
    { name: 'kit/socket', durationMs: 30 },
    { name: 'peers', durationMs: 0 },
    { name: 'first', durationMs: 0 },
  ])
  assert.deepEqual(closed, ['socket', 'peer closed', 'first'])
  assert.deepEqual([owner.inventory(), clock.pending, kit.closed], [nothing(4), 0, true])
})

test('a step that hangs: the steps before it, the planned ones and the resources are known', async () => {
  const { owner, clock } = makeOwner()
  const kit = owner.child('kit')
  kit.adopt('socket', () => {})
  owner.adopt('server', () => new Promise(() => {}), 60_000)
  owner.adopt('profile', () => {})
  kit.adopt('listener', () => {})
  kit.after(50, () => {})
  const planned = ['profile', 'server', 'kit/listener', 'kit/socket']
  assert.deepEqual(owner.plannedSteps(), planned)
  const closing = owner.close()
  await settle()
  assert.deepEqual(owner.closeSteps, [{ name: 'profile', durationMs: 0 }])
  assert.deepEqual(owner.plannedSteps(), planned.slice(1))
  clock.advance(60_000)
  const names = (await closing).map(({ name }) => name)
  assert.deepEqual([names, owner.plannedSteps()], [planned, ['server']])
})

test('inventory: lists current items with their owners, and drops closed ones', async () => {
  const { owner, clock } = makeOwner()
  const kit = owner.child('kit')
  kit.map({ name: 'connections', capacity: 2, expiry: { event: 'closing' }, release: () => {} })
  const release = kit.adopt('listener', () => {})
  kit.after(50, () => {})
  const cancel = kit.after(70, () => {})
  assert.deepEqual(owner.inventory().resources, [
    { owner: 'node-a', kind: 'owner', name: 'kit' },
    { owner: 'node-a/kit', kind: 'resource', name: 'listener' },
    { owner: 'node-a/kit', kind: 'timer', name: 'after 50 ms' },
    { owner: 'node-a/kit', kind: 'timer', name: 'after 70 ms' },
  ])
  const registries = owner.inventory().registries.map(({ name, owner }) => [name, owner])
  assert.deepEqual(registries, [['connections', 'node-a/kit']])
  clock.advance(50)
  cancel()
  await release()
  assert.deepEqual(resourceNames(owner), ['kit'])
  await kit.close()
  assert.deepEqual(owner.inventory(), nothing(5))
})

test('repeated release and close: closes a resource once', async () => {
  const { owner } = makeOwner()
  let closes = 0
  const release = owner.adopt('listener', () => void closes++)
  await Promise.all([release(), release(), owner.close(), owner.close(), release()])
  assert.equal(closes, 1)
})

test('step that never ends: reported, stays in the inventory, and does not block the others', async () => {
  const { owner, clock } = makeOwner()
  let closed = 0
  const { promise, resolve: finish } = Promise.withResolvers<void>()
  owner.adopt('well behaved', () => void closed++)
  const kit = owner.child('kit')
  kit.adopt('libp2p', () => promise, 2_000)
  const closing = owner.close()
  await settle()
  clock.advance(1_999)
  await settle()
  assert.equal(closed, 0)
  clock.advance(1)
  const [step] = await closing
  assert.deepEqual(step, {
    name: 'kit/libp2p',
    durationMs: 2_000,
    error: 'MESH_STEP_TIMEOUT: libp2p did not finish within 2000 ms',
  })
  assert.equal(closed, 1)
  assert.deepEqual(resourceNames(owner), ['kit', 'libp2p'])
  finish()
  await settle()
  assert.deepEqual(owner.inventory(), nothing(3))
})

test('failed steps: close returns them, disposal throws them together', async () => {
  const { owner } = makeOwner()
  owner.adopt('a', () => {
    throw new Error('at once')
  })
  owner.adopt('b', async () => Promise.reject(new Error('later')))
  const steps = await owner.close()
  const errors = steps.map(({ name, error }) => `${name}: ${error}`)
  assert.deepEqual(errors, ['b: later', 'a: at once'])
  await assert.rejects(
    async () => owner[Symbol.asyncDispose](),
    (error) => isMeshError(error, 'MESH_RELEASE_FAILED') && error.detail.steps === 'b: later; a: at once',
  )
  assert.deepEqual(owner.inventory(), nothing(2))
})

test('timers during close: none fires, not even a child’s', async () => {
  const { owner, clock } = makeOwner()
  let fired = 0
  owner.child('kit').after(5, () => fired++)
  owner.after(5, () => fired++)
  owner.adopt('slow', () => new Promise((resolve) => void clock.after(10, resolve)))
  const closing = owner.close()
  clock.advance(10)
  await closing
  assert.equal(fired, 0)
})

test('jobs every 2 s and every 3 s, begun at any time: run at whole seconds, in the same turns, until they are cancelled', async () => {
  const { owner, clock } = makeOwner()
  const runs: string[] = []
  clock.advance(300)
  const cancel = owner.every(2_000, () => runs.push(`a ${clock.now()}`))
  clock.advance(450)
  owner.every(3_000, () => runs.push(`b ${clock.now()}`))
  assert.deepEqual(resourceNames(owner), ['every 2000 ms', 'every 3000 ms'])
  clock.advance(6_000)
  assert.deepEqual(runs, ['a 2000', 'b 4000', 'a 4000', 'a 6000'])
  cancel()
  clock.advance(4_000)
  assert.deepEqual(runs.slice(4), ['b 7000', 'b 10000'])
  await owner.close()
  assert.equal(clock.pending, 0)
})

test('closed owner: rejects new items', async () => {
  const { owner } = makeOwner()
  let aborted = 0
  owner.signal.addEventListener('abort', () => aborted++)
  await owner.close()
  const spec = { name: 'peers', capacity: 1, expiry: { event: 'closing' }, release: () => {} } as const
  for (const take of [
    () => owner.map(spec),
    () => owner.child('kit'),
    () => owner.after(1, () => {}),
    () => owner.adopt('listener', () => {}),
  ])
    assert.throws(take, (error) => isMeshError(error, 'MESH_OWNER_CLOSED'))
  assert.deepEqual([aborted, owner.closed], [1, true])
})

test('owner at its limit: rejects further items', () => {
  const { owner } = makeOwner()
  const cancels = Array.from({ length: limits.held }, () => owner.after(1, () => {}))
  const isLimit = (error: unknown) => isMeshError(error, 'MESH_LIMIT_REACHED')
  assert.throws(() => owner.after(1, () => {}), isLimit)
  assert.throws(() => owner.adopt('listener', () => {}), isLimit)
  cancels[0]?.()
  owner.after(1, () => {})
})

const operation = fc.record({
  what: fc.constantFrom('adopt', 'after', 'child', 'release', 'cancel', 'advance', 'closeChild'),
  pick: fc.nat(20),
})

test('any operations: each resource is closed exactly once, and no item is left', (t) =>
  forAll({ t, numRuns: 50 }, [fc.array(operation, { maxLength: 60 })], async (operations) => {
    const { owner, clock } = makeOwner()
    const owners = [owner]
    const closed: number[] = []
    let adopted = 0
    const releases: (() => Promise<void>)[] = []
    const cancels: (() => void)[] = []
    const at = <T>(list: readonly T[], pick: number) => list[pick % list.length]
    for (const { what, pick } of operations) {
      const open = owners.filter(({ closed }) => !closed)
      const some = at(open, pick) ?? owner
      if (what === 'adopt') {
        const index = adopted++
        releases.push(some.adopt(`resource ${index}`, () => void closed.push(index)))
      }
      if (what === 'after') cancels.push(some.after(pick, () => {}))
      if (what === 'child') owners.push(some.child(`child ${pick}`))
      if (what === 'release') await at(releases, pick)?.()
      if (what === 'cancel') at(cancels, pick)?.()
      if (what === 'advance') clock.advance(pick)
      if (what === 'closeChild' && some !== owner) await some.close()
      const timers = owner.inventory().resources.filter(({ kind }) => kind === 'timer').length
      assert.equal(timers, clock.pending)
    }
    const steps = await owner.close()
    const ordered = closed.sort((a, b) => a - b)
    assert.deepEqual(
      ordered,
      Array.from({ length: adopted }, (_, index) => index),
    )
    assert.ok(steps.every(({ error }) => error === undefined))
    const { totals } = owner.inventory()
    assert.deepEqual([owner.inventory(), clock.pending], [nothing(totals.adopted), 0])
  }))
