import type { TestEvent } from 'node:test/reporters'
import type { RecordLine } from './test-record.ts'

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
