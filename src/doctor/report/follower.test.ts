import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Life } from '../../testing/doctor/life.ts'
import { SpanSource } from '../../testing/doctor/span-source.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import { type FollowOptions, type Look, StoreFollower } from './follower.ts'

leakCheck()

const minuteMs = 60_000
/** When the lives of tests begin. */
const beginMs = 1_800_000_000_000
const { signal } = new AbortController()

/** A store with two healthy nodes, whose spans arrive as time goes by, and a follower of it. */
class Watch {
  readonly store: SpanSource
  readonly follower: StoreFollower
  nowMs = beginMs

  constructor(lives: readonly Life[] = [clean('node-1'), clean('node-2')], more: Partial<FollowOptions> = {}) {
    this.store = new SpanSource(lives.flatMap(({ spans }) => spans))
    const now = () => this.nowMs
    this.follower = new StoreFollower({ url: 'http://store', fromMs: beginMs, fetch: this.store.fetch, now, ...more })
  }

  /** A reading some minutes after the one before. */
  look(minutes: number): Promise<Look> {
    this.nowMs += minutes * minuteMs
    this.store.untilMs = this.nowMs
    return this.follower.look(signal)
  }
}

function clean(node: string, minutes = 60): Life {
  return new Life(node).censuses(5, 60 * minutes, 2)
}

test('readings of a minute: every span counts once, and none that the doctor itself read twice', async () => {
  const watch = new Watch()
  for (let minute = 0; minute < 8; minute++) await watch.look(1)
  const { spans, duplicates, complete, partial } = watch.follower.evidence()
  assert.equal(spans, 2 * 16)
  assert.deepEqual([duplicates, complete, partial], [0, true, []])
})

test('spans that came twice to the store: they are counted', async () => {
  const watch = new Watch()
  watch.store.spans = [
    ...watch.store.spans,
    ...watch.store.spans.map((span) => ({ ...span, spanId: `${span.spanId}b` })),
  ]
  await watch.look(3)
  assert.ok(watch.follower.evidence().duplicates > 0)
})

test('a store that is away for five minutes: its spans are read afterwards, and nothing is missing', async () => {
  const watch = new Watch()
  const states = [(await watch.look(1)).state]
  watch.store.isAway = true
  for (let minute = 0; minute < 5; minute++) states.push((await watch.look(1)).state)
  assert.equal(watch.follower.evidence().complete, false)
  watch.store.isAway = false
  states.push((await watch.look(1)).state)
  assert.deepEqual(states, ['read', 'away', 'away', 'away', 'away', 'away', 'read'])
  const { spans, complete, partial } = watch.follower.evidence()
  assert.deepEqual([spans, complete, partial], [2 * 14, true, []])
})

test('a store that is away for half an hour: the gap has a name, and the evidence stays incomplete', async () => {
  const watch = new Watch()
  await watch.look(1)
  watch.store.isAway = true
  for (let reading = 0; reading < 3; reading++) await watch.look(10)
  watch.store.isAway = false
  await watch.look(1)
  await watch.look(1)
  const { complete, partial } = watch.follower.evidence()
  assert.equal(complete, false)
  assert.equal(partial.length, 1)
  assert.match(partial[0] ?? '', /^2027-01-15T08:01:00 to 2027-01-15T08:22:00 was not read: .*ECONNREFUSED/)
})

test('a store that is away again and again: the gaps that are named are bounded, and the others counted', async () => {
  const watch = new Watch()
  await watch.look(1)
  watch.store.isAway = true
  for (let reading = 0; reading < 30; reading++) {
    watch.store.isAway = reading % 2 === 0
    await watch.look(20)
  }
  const { problems } = watch.follower
  assert.ok(problems.length <= 10, problems.join('\n'))
  assert.ok(problems.some((problem) => /^\d+ more times were not read$/.test(problem)))
})

test('a mesh without spans for a while: the store answers, so there is no gap', async () => {
  const watch = new Watch([clean('node-1', 5)])
  const states: string[] = []
  for (let reading = 0; reading < 6; reading++) states.push((await watch.look(5)).state)
  assert.deepEqual(new Set(states), new Set(['read', 'empty']))
  assert.deepEqual(watch.follower.problems, [])
})

test('spans that arrive six minutes late: they are read when the numbers of others show that they are missing', async () => {
  const life = clean('node-1', 20)
  const watch = new Watch([life])
  await watch.look(2)
  const late = life.spans.filter(({ startMs }) => startMs >= beginMs + 150_000 && startMs < beginMs + 210_000)
  watch.store.spans = life.spans.filter((span) => !late.includes(span))
  for (let minute = 0; minute < 6; minute++) await watch.look(1)
  const missing = () => watch.follower.evidence().instances[0]?.seqs.missing
  assert.equal(missing(), late.length)
  watch.store.spans = life.spans
  await watch.look(1)
  assert.equal(missing(), 0)
})

test('a long first period: it is read as samples, so the evidence is not complete', async () => {
  const watch = new Watch([clean('node-1', 300)])
  await watch.look(240)
  await watch.look(1)
  const { complete, partial, duplicates } = watch.follower.evidence()
  assert.deepEqual([complete, partial, duplicates], [false, [], 0])
})

test('a process that has been silent for long: it is forgotten if that is asked for', async () => {
  const nodes = async (more: Partial<FollowOptions>) => {
    const watch = new Watch([clean('node-1', 5), clean('node-2', 60)], more)
    for (let reading = 0; reading < 5; reading++) await watch.look(9)
    return watch.follower.evidence().instances.map(({ node }) => node)
  }
  assert.deepEqual(await nodes({}), ['node-1', 'node-2'])
  assert.deepEqual(await nodes({ forgetMs: 20 * minuteMs }), ['node-2'])
})

test('a finding of a process that ended: it is over after some minutes, and that of one that runs is not', async () => {
  const stalled = (node: string, minutes: number) => {
    const life = new Life(node)
    for (const atS of [1, 2, 3]) life.span('mesh.node.stalled', atS, { 'mesh.stall.slept_ms': 9_000 })
    return life.censuses(5, 60 * minutes, 2)
  }
  const selfSeed = (node: string, minutes: number) => {
    const own = { 'mesh.seed.address': `/dns4/${node}/udp/4001/quic-v1`, 'mesh.seed.others': 1 }
    return new Life(node).span('mesh.seed.self', 1, own).censuses(5, 60 * minutes, 2)
  }
  const watch = new Watch([stalled('node-1', 60), selfSeed('node-2', 10), selfSeed('node-3', 60)], {
    overMs: 15 * minuteMs,
  })
  const found: string[][] = []
  for (const minutes of [8, 6, 6, 6]) {
    const look = await watch.look(minutes)
    assert.ok(look.state === 'read')
    found.push(look.examination.diagnosis.findings.map(({ disease, owner }) => `${disease} ${owner.node}`))
  }
  assert.deepEqual(found, [
    ['self-seed node-2', 'self-seed node-3', 'starved-judge node-1'],
    ['self-seed node-2', 'self-seed node-3', 'starved-judge node-1'],
    ['self-seed node-2', 'self-seed node-3'],
    ['self-seed node-3'],
  ])
})

test('an abort: its reason', async () => {
  const watch = new Watch()
  watch.store.isAway = true
  await assert.rejects(watch.follower.look(AbortSignal.abort(new Error('SIGINT'))), /SIGINT/)
})
