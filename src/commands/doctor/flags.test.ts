import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leakCheck } from '../../testing/leak-check.ts'
import { filePeriod, parseTime, readDoctorFlags, storePeriod } from './flags.ts'

leakCheck()

const nowMs = new Date(2026, 10, 30, 14, 5, 0).getTime()
const rest = { files: [], json: false, watch: false }

test('parseTime: dates, times of the last day and durations ago, in local time unless a zone is given', () => {
  assert.equal(parseTime('2026-11-30T14:00', nowMs), nowMs - 300_000)
  assert.equal(parseTime('2026-11-30 14:00:30', nowMs), nowMs - 270_000)
  assert.equal(parseTime('2026-11-30', nowMs), new Date(2026, 10, 30).getTime())
  assert.equal(parseTime('2026-11-30T14:00:00Z', nowMs), Date.UTC(2026, 10, 30, 14))
  assert.equal(parseTime('14:00', nowMs), nowMs - 300_000)
  assert.equal(parseTime('14:10', nowMs), new Date(2026, 10, 29, 14, 10).getTime())
  assert.equal(parseTime('90m', nowMs), nowMs - 5_400_000)
  assert.equal(parseTime('now', nowMs), nowMs)
  for (const text of ['', 'yesterday', '25:00', '2026-13-01', '30', '2026-11-30T99:00'])
    assert.equal(parseTime(text, nowMs), undefined, text)
})

test('the period of a store: the last 15 minutes, or as the flags say', () => {
  const of = (raw: Readonly<Record<string, string>>) => storePeriod(readDoctorFlags(raw, rest), nowMs)
  assert.deepEqual(of({}), { fromMs: nowMs - 900_000, toMs: nowMs + 60_000 })
  assert.deepEqual(of({ for: '2h' }), { fromMs: nowMs - 7_200_000, toMs: nowMs + 60_000 })
  const [from, to] = ['2026-11-30T10:00Z', '2026-11-30T11:00Z']
  const fromMs = Date.UTC(2026, 10, 30, 10)
  assert.deepEqual(of({ from, for: '30m' }), { fromMs, toMs: fromMs + 1_800_000 })
  assert.deepEqual(of({ from, to }), { fromMs, toMs: fromMs + 3_600_000 })
  assert.deepEqual(of({ to, for: '30m' }), { fromMs: fromMs + 1_800_000, toMs: fromMs + 3_600_000 })
})

test('the period of files: all of them, or as the flags say', () => {
  const of = (raw: Readonly<Record<string, string>>) => filePeriod(readDoctorFlags(raw, { ...rest, files: ['a'] }))
  assert.deepEqual(of({}), { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY })
  const fromMs = Date.UTC(2026, 10, 30, 10)
  assert.deepEqual(of({ from: '2026-11-30T10:00Z', for: '30m' }), { fromMs, toMs: fromMs + 1_800_000 })
})

const wrong: readonly (readonly [
  Readonly<Record<string, string>>,
  Partial<Parameters<typeof readDoctorFlags>[1]>,
  RegExp,
])[] = [
  [{ url: 'http://x' }, { files: ['a'] }, /--url .* either --url or --file/],
  [{}, { files: ['a'], watch: true }, /--watch is with --file; expected a trace store/],
  [{ for: '2m' }, { files: ['a'] }, /--for is without --from or --to; expected one of them/],
  [{ every: '10s' }, {}, /--every is without --watch; expected both or neither/],
  [{ 'probe-for': '10s' }, {}, /--probe-for is without --probe; expected both or neither/],
  [{ 'token-file': 'a' }, {}, /--token-file is without --probe/],
  [{}, { probeCounts: true }, /--probe-counts is without --probe/],
  [{ to: '1h' }, { watch: true }, /--to is "1h"; expected no end/],
  [{ from: '2h', to: '1h', for: '5m' }, {}, /--for/],
  [{ from: '1h', to: '2h' }, {}, /--to is "2h"; expected a time after --from/],
  [{ from: 'noon' }, {}, /--from is "noon"; expected a time such as/],
  [{ before: '2h' }, {}, /--before is "2h"; expected FROM..TO/],
  [{ before: '1h..2h' }, {}, /--before/],
  [{ emit: 'localhost:4317' }, {}, /--emit/],
  [{ every: '1' }, {}, /--every/],
  [{ probe: 'node-3' }, {}, /--probe is "node-3"; expected host:port/],
  [{ probe: '127.0.0.1:6060' }, { watch: true }, /--probe/],
  [{ 'probe-for': '61s' }, {}, /--probe-for/],
  [{ from: '1h', before: '2h..30m' }, {}, /--before is "2h..30m"; expected a period that ends before/],
  [{ before: '2h..1h' }, { watch: true }, /--before/],
]

test('a node to probe: host and port, or a URL', () => {
  for (const [text, url] of [
    ['127.0.0.1:6060', 'http://127.0.0.1:6060'],
    ['[::1]:6060', 'http://[::1]:6060'],
    ['localhost:6060', 'http://localhost:6060'],
    ['https://node.example.org/pprof/', 'https://node.example.org/pprof'],
  ] as const)
    assert.equal(readDoctorFlags({ probe: text }, rest).probe, url)
  assert.equal(readDoctorFlags({}, rest)['probe-for'], 30)
})

test('flags that contradict each other, or are no time: an error that says what is expected', () => {
  for (const [raw, more, problem] of wrong)
    assert.throws(() => readDoctorFlags(raw, { ...rest, ...more }), problem, JSON.stringify(raw))
})
