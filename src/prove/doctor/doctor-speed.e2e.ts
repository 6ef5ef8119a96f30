import { createWriteStream } from 'node:fs'
import { mkdtempDisposable, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, equals, type ProofContext, round } from '../proof.ts'
import { runDoctor } from './doctor-process.ts'
import { recordLab } from './recorded-lab.ts'
import { minuteOf, multipliedLines, type RecordedGroup, spansOf } from './span-file.ts'

const million = 1_000_000
const limits = { seconds: 15, rssMb: 300 }
/** A lab settles within two minutes; the third is the one that is multiplied. */
const labMinutes = 3.2
const settledMs = 120_000

export const proof = endToEnd({
  name: 'doctor-speed',
  about: 'the doctor reads a file of a million real spans in 15 s and 300 MB, and ten million with the same memory',
  quick: false,
  seconds: 900,
  async run(context) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-doctor-'))
    context.progress(`recording a lab for ${labMinutes} min`)
    await using lab = await recordLab(join(temporary.path, 'traces.db'), labMinutes, context.signal)
    const minute = minuteOf(lab.groups, lab.fromMs + settledMs)
    const one = await diagnosed(minute, million, temporary.path, context)
    const ten = await diagnosed(minute, 10 * million, temporary.path, context)
    return {
      figures: { 'a million': one, 'ten million': ten, 'spans of the recorded minute': spansOf(minute) },
      checks: [
        atLeast('spans read', million, one.spans),
        // Seconds on the clock are those of an idle machine; of a busy one the CPU time of the process is what it took.
        atMost('a million: CPU time', limits.seconds, one.cpuSeconds, 's'),
        atMost('a million: peak RSS', limits.rssMb, one.rssMb, 'MB'),
        atLeast('spans read of the larger file', 10 * million, ten.spans),
        atMost('ten million: peak RSS', limits.rssMb, ten.rssMb, 'MB'),
        equals('lines that could not be read', 0, one.partial + ten.partial),
      ],
    }
  },
})

/** Writes a file of so many spans, and runs the command on it. */
async function diagnosed(minute: readonly RecordedGroup[], count: number, directory: string, context: ProofContext) {
  const file = join(directory, `${count}.jsonl`)
  context.progress(`writing ${count} spans`)
  await pipeline(Readable.from(chunksOf(multipliedLines(minute, { count }))), createWriteStream(file), {
    signal: context.signal,
  })
  context.progress(`reading ${round((await stat(file)).size / 1e9)} GB`)
  const { evidence, usage } = await runDoctor(['--file', file], context)
  return {
    spans: evidence.spans,
    partial: evidence.partial.length,
    'bytes per span': round(evidence.bytes / evidence.spans),
    ...usage,
  }
}

/** Lines in chunks of a megabyte. */
function* chunksOf(lines: Iterable<string>): Generator<string> {
  let chunk = ''
  for (const line of lines) {
    chunk += `${line}\n`
    if (chunk.length < 1_048_576) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}
