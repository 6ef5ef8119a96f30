import type { Column } from '../lab/lines.ts'
import type { SoakReport } from './report.ts'
import { countColumns, headline, memoryColumns, noteLines, risenCounts } from './report-text.ts'

/** The report as a page. */
export function reportMarkdown(report: SoakReport): string {
  const { soak, startedMs, options, memory, counts } = report
  const { forMs, rate, warmUpMs, settleMs } = options
  const risen = risenCounts(report)
  return [
    `# Soak: ${report.verdict}`,
    `**${escapeMarkup(headline(report))}**`,
    noteLines(report)
      .map((line) => `- ${escapeMarkup(line)}`)
      .join('\n'),
    `Of ${escapeMarkup(soak)}, ${new Date(startedMs).toISOString()}: warm-up ${warmUpMs / 1_000} s, rest ${settleMs / 1_000} s, ` +
      `churn ${forMs / 1_000} s at ${rate} lives per second, rest ${settleMs / 1_000} s.`,
    '## Memory after major collections',
    memory.length === 0 ? 'No process was there from the first reading to the last.' : table(memoryColumns, memory),
    '## Then and now',
    risen.length === 0 ? 'Nothing counted rose.' : table(countColumns, risen),
    `${counts.length - risen.length} of ${counts.length} counts are not shown: they did not rise, or less. report.json has all.`,
    '',
  ].join('\n\n')
}

function table<T>(columns: readonly Column<T>[], items: readonly T[]): string {
  const row = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => escapeMarkup(String(cell))).join(' | ')} |`
  const rule = row(columns.map(() => '---'))
  return [
    row(columns.map(({ head }) => head)),
    rule,
    ...items.map((item) => row(columns.map(({ of }) => of(item)))),
  ].join('\n')
}

/** Names from traces must not become markup. */
function escapeMarkup(text: string): string {
  return text.replace(/[\\`*_[\]<>|]/g, '\\$&').replace(/\s+/g, ' ')
}
