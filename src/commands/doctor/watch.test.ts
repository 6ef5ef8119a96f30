import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reportOf } from '../../doctor/report/report.ts'
import { Life } from '../../testing/doctor/life.ts'
import { SpanSource } from '../../testing/doctor/span-source.ts'
import { leakCheck } from '../../testing/leak-check.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { noLinks } from './links.ts'
import { DoctorWatch } from './watch.ts'

leakCheck()

const beginMs = 1_800_000_000_000

function clean(node: string, fromS = 5, toS = 3_600): Life {
  return new Life(node).censuses(fromS, toS, 2)
}

/** A node that has itself as a seed, from its start to its end. */
function selfSeed(node: string, fromS: number, toS: number): Life {
  const own = { 'mesh.seed.address': `/dns4/${node}/udp/4001/quic-v1`, 'mesh.seed.others': 1 }
  return new Life(node).span('mesh.seed.self', fromS - 4, own).censuses(fromS, toS, 2)
}

/** What a watch prints in its minutes: `out` for findings, `log` for the rest, without the time of day. */
async function watched(
  lives: readonly Life[],
  minutes: number,
  each: (minute: number, store: SpanSource) => void = () => {},
) {
  const store = new SpanSource(lives.flatMap(({ spans }): readonly TraceSpan[] => spans))
  const aborting = new AbortController()
  const lines: string[] = []
  const add = (kind: string, text: string) => {
    const [, rest = text] = /^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d (.*)$/.exec(text) ?? []
    if (!rest.includes('as before')) lines.push(`${minute} ${kind} ${rest}`)
  }
  let minute = 1
  const nowMs = () => beginMs + minute * 60_000
  const step = () => {
    store.untilMs = nowMs()
    each(minute, store)
  }
  step()
  const watch = new DoctorWatch({
    ...{ url: 'http://store', mesh: undefined, fromMs: beginMs, everyMs: 60_000, signal: aborting.signal, text: {} },
    fetch: store.fetch,
    now: nowMs,
    report: async (examination) => reportOf({ ...examination, links: noLinks.trace }),
    print: (_, printed) =>
      printed.filter((line) => !/^(?: |$|\w+ at|read|resolution)/.test(line)).map((line) => add('out', line)),
    log: (text) => add('log', text),
    pause: async () => {
      minute++
      step()
      if (minute > minutes) aborting.abort()
    },
  })
  const last = await watch.run()
  return { lines, last }
}

test('a fault that comes and goes: shown once when it comes, and in one line when it is gone', async () => {
  const { lines, last } = await watched([clean('node-1'), clean('node-2'), selfSeed('node-3', 185, 600)], 30)
  assert.deepEqual(lines, [
    '1 out healthy: nothing found',
    '4 out ill, before: healthy',
    '4 out new:',
    '4 out 1. A seed that is the node itself (certain)',
    '26 out healthy, before: ill',
    '26 out gone: A seed that is the node itself: seed /dns4/node-3/udp/4001/quic-v1 at node-3 of mesh-a',
  ])
  assert.equal(last?.verdict, 'healthy')
})

test('a second fault: only that one is printed', async () => {
  const { lines } = await watched([clean('node-1'), selfSeed('node-2', 5, 3_600), selfSeed('node-3', 425, 3_600)], 12)
  assert.deepEqual(lines, [
    '1 out healthy: nothing found',
    '3 out ill, before: healthy',
    '3 out new:',
    '3 out 1. A seed that is the node itself (certain)',
    '8 out new:',
    '8 out 1. A seed that is the node itself (certain)',
  ])
})

test('a store that goes away and comes back: a line for each, and no finding is gone or new because of it', async () => {
  const lives = [clean('node-1'), clean('node-2'), selfSeed('node-3', 5, 3_600)]
  const { lines } = await watched(lives, 15, (minute, store) => {
    store.isAway = minute >= 6 && minute < 10
  })
  const later = lines.filter((line) => Number(line.split(' ')[0]) > 5)
  assert.equal(later.length, 2, later.join('\n'))
  assert.match(later[0] ?? '', /^6 log MESH_TRACES_UNREACHABLE: .*ECONNREFUSED.*; the next question is in 1 min$/)
  assert.equal(later[1], '10 log the trace store answers again after 4 min')
})

test('a store that is away at first: the watch waits for it', async () => {
  const { lines } = await watched([clean('node-1')], 5, (minute, store) => {
    store.isAway = minute < 3
  })
  assert.deepEqual(
    lines.map((line) => line.slice(0, 30)),
    ['1 log MESH_TRACES_UNREACHABLE:', '3 log the trace store answers ', '3 out healthy: nothing found'],
  )
})

test('a mesh that falls silent: one line', async () => {
  const { lines } = await watched([clean('node-1', 5, 300)], 20)
  assert.deepEqual(lines.slice(1), ['8 log no new span of a mesh in http://store; the next question is in 1 min'])
})
