import { relative, resolve } from 'node:path'
import type { EventData } from 'node:test'
import type { TestEvent } from 'node:test/reporters'

type RecordLine = RecordedTest | { readonly counts: Counts }

/** `@types/node` lacks `failed`. */
type Counts = EventData.TestSummary['counts'] & { readonly failed?: number }

interface RecordedTest {
  /** Absolute path of the test file. */
  readonly file: string
  readonly name: string
  /** True if the test gave no reason. */
  readonly skip?: string | boolean
}

/** A reporter for `node --test` that writes the outcome of each test and the counts of the run, one JSON per line. */
export default async function* record(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const line = lineOf(event)
    if (line !== undefined) yield `${JSON.stringify(line)}\n`
  }
}

function lineOf({ type, data }: TestEvent): RecordLine | undefined {
  // Node's summary of one file names it; that of the run does not.
  if (type === 'test:summary') return data.file === undefined ? { counts: data.counts } : undefined
  if (type !== 'test:pass' && type !== 'test:fail') return undefined
  // Node reports each file as a test too, without an entry file.
  const { entryFile: file } = data as { entryFile?: string }
  if (file === undefined || data.details.type === 'suite') return undefined
  return { file, name: data.name, ...(data.skip !== undefined && { skip: data.skip }) }
}

/** What the runs of a `npm test` recorded, added up. */
export interface TestRecord {
  readonly counts: Readonly<Record<string, number>>
  readonly skipped: readonly string[]
  /** Files that registered no test. */
  readonly unrun: readonly string[]
}

export const emptyRecord: TestRecord = { counts: {}, skipped: [], unrun: [] }

/** Reads the record of a run of these files; paths are relative to `root`. A run that was interrupted leaves half a line. */
export function readRecord(text: string, files: readonly string[], root: string): TestRecord {
  const lines = text.split('\n').slice(0, -1)
  const records = lines.map((line) => JSON.parse(line) as RecordLine)
  const tests = records.filter((record) => 'file' in record)
  const withTests = new Set(tests.map(({ file }) => file))
  const counts = records.find((record) => 'counts' in record)?.counts
  return {
    counts: {
      tests: counts?.tests ?? 0,
      suites: counts?.suites ?? 0,
      pass: counts?.passed ?? 0,
      fail: counts?.failed ?? 0,
      cancelled: counts?.cancelled ?? 0,
      skipped: counts?.skipped ?? 0,
      todo: counts?.todo ?? 0,
    },
    skipped: tests.flatMap(({ file, name, skip }) => {
      if (skip === undefined || skip === false) return []
      const reason = typeof skip === 'string' && skip !== '' ? skip : 'the test gives no reason'
      return [`SKIPPED ${relative(root, file)}: ${name}, because ${reason}`]
    }),
    unrun: files.filter((file) => !withTests.has(resolve(root, file))),
  }
}

export function addRecords(one: TestRecord, other: TestRecord): TestRecord {
  const names = Object.keys({ ...one.counts, ...other.counts })
  return {
    counts: Object.fromEntries(names.map((name) => [name, (one.counts[name] ?? 0) + (other.counts[name] ?? 0)])),
    skipped: [...one.skipped, ...other.skipped],
    unrun: [...one.unrun, ...other.unrun],
  }
}

/** The end of the report: Node's counts, then what did not run. */
export function reportOf({ counts, skipped, unrun }: TestRecord): string {
  const lines = [
    ...Object.entries(counts).map(([name, count]) => `ℹ ${name} ${count}`),
    ...unrun.map((file) => `FAILED ${file}: 0 tests, the file registers none`),
    ...skipped,
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
  ]
  return lines.map((line) => `${line}\n`).join('')
}
