import { configEntries, type Setting } from './config-table.ts'

const begin = '<!-- config:begin -->'
const end = '<!-- config:end -->'

/** The configuration table as Markdown. */
export function configDocs(): string {
  const rows = configEntries.map(([, setting]) => [
    `\`${setting.env}\``,
    setting.flag === undefined ? '' : `\`${setting.flag}\``,
    defaultOf(setting),
    `${setting.description} Allowed: ${setting.expected}.`,
  ])
  const header = ['Variable', 'Flag', 'Default', 'Meaning and allowed values']
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Replaces the part of `page` between the two config markers. Throws a RangeError without markers. */
export function withConfigDocs(page: string): string {
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new RangeError(`no ${begin} … ${end} in the document`)
  return `${page.slice(0, from + begin.length)}\n\n${configDocs()}\n\n${page.slice(to)}`
}

function defaultOf({ defaultValue, defaultText }: Setting): string {
  if (defaultText !== undefined) return defaultText
  if (defaultValue === undefined || defaultValue === '') return 'none'
  return defaultValue
    .split(',')
    .map((part) => `\`${part}\``)
    .join(' ')
}
