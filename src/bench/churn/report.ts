import type { ChurnReport, ChurnSideReport, Held } from './churn.ts'
import type { Growth } from './growth.ts'

const kilobyte = 1_024
const megabyte = 1_048_576
/** Tables in the report, largest first. */
const shownTables = 24

/** A report for people: what each hub still holds, side by side. */
export function formatChurn({ sides, options, seconds, busy }: ChurnReport): string {
  const names = Object.keys(sides)
  const row = (what: string, of: (side: ChurnSideReport) => string) =>
    `  ${what.padEnd(44)}${names.map((name) => of(sides[name] as ChurnSideReport).padEnd(26)).join('')}`.trimEnd()
  const head = `churn: ${options.events} lives at ours, at most ${options.rate} per second, rest of ${options.rest} s; took ${seconds} s; cores ${percent(busy.median)} busy (at most ${percent(busy.max)})`
  const tables = tablesOf(Object.values(sides))
  const memory = ['heapUsed', 'objects', 'compiled', 'external', 'native', 'rss'] as const
  const kinds = ['before', 'beside', 'during', 'after'] as const
  return [
    head,
    '',
    `  ${''.padEnd(44)}${names.map((name) => name.padEnd(26)).join('')}`.trimEnd(),
    row('lives, of them failed', ({ lives, failed }) => `${lives}, ${failed}`),
    row('CPU of the hub per life', ({ hubCpuMsPerLife }) => `${hubCpuMsPerLife.toFixed(1)} ms`),
    row('CPU of the life itself, no result', ({ loadCpuMsPerLife }) => `${loadCpuMsPerLife.toFixed(1)} ms`),
    row('connections in the end', ({ last }) => `${last.connections}`),
    ...memory.map((kind) => row(`${kind}, first and last`, (side) => memoryText(side, kind))),
    ...memory.map((kind) => row(`${kind} growth per life (95 %)`, ({ growth }) => growthText(growth[kind]))),
    row('handles and descriptors left', ({ handles }) => `${entriesText(handles)}`),
    ...kinds.map((kind) => row(`messages ${kind}: delivered, p99`, ({ traffic }) => trafficText(traffic[kind]))),
    '  entries in the end, of them of departed peers',
    ...tables.map((table) => row(`  ${table}`, ({ last }) => tableText(last, table))),
    '  entries of our registries in the end',
    ...(sides['ours']?.last.registries ?? []).map(({ name, size }) => `    ${name.padEnd(42)}${size}`),
    '',
  ].join('\n')
}

/** Names of tables that have entries of departed peers on any side, and of the largest others. */
function tablesOf(sides: readonly ChurnSideReport[]): string[] {
  const all = sides.flatMap(({ last }) => last.tables)
  const ranked = all.toSorted((a, b) => b.departed - a.departed || b.size - a.size)
  return [...new Set(ranked.map(({ name }) => name))].slice(0, shownTables)
}

function tableText({ tables }: Held, name: string): string {
  const table = tables.find((one) => one.name === name)
  return table === undefined ? '0' : `${table.size}, ${table.departed}`
}

function memoryText({ first, last }: ChurnSideReport, kind: keyof Held['memory']): string {
  return `${megabytes(first.memory[kind])} to ${megabytes(last.memory[kind])} MB`
}

function growthText(growth: Growth | undefined): string {
  if (growth === undefined) return 'too few readings'
  const bound = growth.high === undefined ? 'no bound' : `at most ${bytes(growth.high)}`
  return `${bytes(growth.perEvent)}, ${bound}`
}

function trafficText(traffic: ChurnSideReport['traffic']['before']): string {
  return traffic === undefined
    ? 'not measured'
    : `${traffic.delivered} of ${traffic.expected}, ${traffic.p99Ms.toFixed(1)} ms`
}

function entriesText(counts: Readonly<Record<string, number>>): string {
  const texts = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`)
  return texts.length === 0 ? '0' : texts.join(', ')
}

function megabytes(value: number): string {
  return (value / megabyte).toFixed(1)
}

function bytes(value: number): string {
  return Math.abs(value) >= 10 * kilobyte ? `${(value / kilobyte).toFixed(1)} KB` : `${Math.round(value)} B`
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}
