import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Owner } from '../core/owner.ts'
import { silentLogger } from '../telemetry/log.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { VirtualClock } from '../testing/sim/virtual-clock.ts'
import { startStatusLines } from './status-lines.ts'

leakCheck()

const counts = { connected: 3, peerStore: 5, dhtTable: 2, resources: 40 }

function start(status: () => Promise<typeof counts>) {
  const clock = new VirtualClock()
  const owner = new Owner('node', clock)
  const lines: { level: string; fields: Record<string, unknown>; message: string | undefined }[] = []
  const log = (level: string) => (fields: object, message?: string) =>
    void lines.push({ level, fields: { ...fields }, message })
  const logger = { ...silentLogger, info: log('info'), warn: log('warn') } as typeof silentLogger
  startStatusLines({ mesh: { status }, owner, logger })
  const advance = async (ms: number) => {
    clock.advance(ms)
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  }
  return { clock, owner, lines, advance }
}

test('a running node: one line per minute with counts and memory, and none after the stop', async () => {
  const { clock, owner, lines, advance } = start(async () => counts)
  await advance(59_999)
  assert.equal(lines.length, 0)
  await advance(1)
  await advance(60_000)
  assert.equal(lines.length, 2)
  const [{ level, fields, message } = { fields: {} }] = lines as [Partial<(typeof lines)[0]> & { fields: object }]
  const { heap_alloc: alloc, heap_inuse: inuse, sys, ...rest } = fields as Record<string, number>
  assert.deepEqual([level, message, rest], ['info', 'status', { connected: 3, peerstore: 5, dht_rt: 2, resources: 40 }])
  for (const bytes of [alloc, inuse, sys]) assert.ok(Number(bytes) > 1_000_000, `${bytes} bytes`)
  await owner.close()
  assert.equal(clock.pending, 0)
})

test('a status that fails: a warning, and the next line follows', async () => {
  let fails = true
  const { owner, lines, advance } = start(async () => {
    if (fails) throw new Error('stopped')
    return counts
  })
  await advance(60_000)
  fails = false
  await advance(60_000)
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['warn', 'info'],
  )
  await owner.close()
})
