import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { reportLines } from '../commands/doctor/report-text.ts'
import { examine } from '../doctor/report/examine.ts'
import { reportOf } from '../doctor/report/report.ts'
import { inUtc } from './example-text.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Real nodes, recorded; one of the leaks of the demo. */
const recording = 'src/zoo/recordings/keep-connections.jsonl.zst'
const columns = 100
const [begin, end] = ['<!-- sample of the doctor: npm run generate -->', '<!-- end of the sample -->']

export const readmePage = join(root, 'README.md')

/** README with what the doctor prints of a recording. */
export async function withSample(readme: string): Promise<string> {
  const [before, rest = ''] = readme.split(begin)
  const [, after] = rest.split(end)
  if (after === undefined) throw new Error('README.md has no sample of the doctor')
  return [before, begin, '\n', await sample(), '\n', end, after].join('')
}

async function sample(): Promise<string> {
  const [fromMs, toMs] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  const subject = { url: '', files: [join(root, recording)], mesh: undefined, period: { fromMs, toMs } }
  const examination = await examine({ ...subject, signal: new AbortController().signal, progress: () => {} })
  const report = reportOf({ ...examination, links: () => undefined })
  const lines = inUtc(() => reportLines(report, { columns }))
  // Without what it was read from.
  return ['```text', ...lines.slice(0, lines.lastIndexOf('')), '```'].join('\n')
}
