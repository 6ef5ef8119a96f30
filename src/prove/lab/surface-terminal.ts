import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../../processes/node-program.ts'
import { until } from '../../processes/waiting.ts'
import { startInTerminal, type TerminalProcess } from '../../testing/cluster/terminal-process.ts'
import { atMost, type Check, equals, round } from '../proof.ts'

export const sizes = [
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
] as const

type Size = (typeof sizes)[number]

const program = fileURLToPath(new URL('../../commands/main.ts', import.meta.url))
/** A user who sees nothing for longer thinks that nothing happens. On a busy machine Node.js alone takes a second. */
const firstOutputMs = 3_000
const bootMs = 120_000

/** The lab in a terminal of this size: 18 nodes, of which one is killed, and the list of all spans. */
export async function walkTerminal(size: Size, progress: (text: string) => void) {
  const name = `${size.columns}x${size.rows}`
  progress(`the lab in a terminal of ${name}`)
  const lab = await walkLab(size)
  const list = await printed(size, ['spans'])
  const short = await printed(size, ['lab', '--nodes', '3', '--meshes', '1', '--bridges', '0', '--for', '1s'])
  const checks: Check[] = [
    equals(
      `${name}: lines wider than the terminal`,
      '',
      [...lab.tooWide, ...list.tooWide, ...short.tooWide].join(' | '),
    ),
    equals(`${name}: head of the table has state, members and links`, true, lab.hasHead),
    equals(`${name}: nodes and spans beyond the screen are counted`, true, lab.isCounted),
    equals(`${name}: the End key shows the last node`, 'bridge-2', lab.last ?? ''),
    equals(`${name}: every span shown has the digits of its trace`, true, lab.hasTraces),
    equals(`${name}: a killed node shows no figures`, true, lab.deadIsBlank),
    equals(`${name}: a list says how many rows it has`, true, /^\d+ spans$/m.test(list.text)),
    equals(`${name}: JSON without --json`, 0, [list, short].filter(({ text }) => /[{}]/.test(text)).length),
    equals(`${name}: exit code of the lab after q`, 0, lab.code ?? -1),
    equals(`${name}: exit code of a lab whose nodes never knew each other`, 3, short.code ?? -1),
    atMost(`${name}: the lab says what it does after`, firstOutputMs, lab.firstMs, 'ms'),
  ]
  return { figures: { firstOutputMs: round(lab.firstMs), screen: lab.screen }, checks }
}

async function walkLab({ columns, rows }: Size) {
  const command = nodeCommand(program, ['lab', '--page', '127.0.0.1:0', '--seed', '7', '--for', '10m'])
  await using terminal = startInTerminal({ columns, rows, command })
  const firstMs = await terminal.firstOutput
  const complete = () => /18 running, 18 know all members/.test(terminal.screen()[1] ?? '')
  await until(complete, bootMs, `the lab is complete: ${terminal.text().slice(-300)}`)
  const whole = terminal.screen()
  const shownNodes = whole.filter((line) => /^[> ] [ab]?-?\w+-?\d* .* running/.test(line)).length
  const selected = () => {
    const line = terminal.screen().find((one) => one.startsWith('> '))
    return line?.split(' ')[1]
  }
  const before = selected()
  terminal.type('\x1b[F')
  await until(() => ![undefined, before].includes(selected()), 5_000, 'another selection')
  const last = selected()
  terminal.type('x')
  await until(() => terminal.screen().some((line) => / killed /.test(line)), 20_000, 'the killed node')
  await until(() => !/killing/.test(terminal.screen().at(-1) ?? ''), 20_000, 'the keys again')
  const after = terminal.screen()
  const dead = after.find((line) => / killed /.test(line)) ?? ''
  const spans = after.filter((line) => /^\d\d:\d\d:\d\d/.test(line))
  terminal.type('q')
  const code = await terminal.exited
  const figures = /killed +(\S+) +(\S+)/.exec(dead)?.slice(1) ?? []
  return {
    firstMs,
    code,
    screen: whole,
    tooWide: tooWide(terminal.text(), columns),
    hasHead: ['state', 'members', 'links'].every((head) => whole.some((line) => line.split(/ +/).includes(head))),
    isCounted: whole.some(
      (line) => /last \d+ of \d+ kept spans/.test(line) && (shownNodes >= 18 || /of 18/.test(line)),
    ),
    last,
    hasTraces: spans.length > 0 && spans.every((line) => / [0-9a-f]{8}$/.test(line.trimEnd())),
    deadIsBlank: figures.every((figure) => figure === '-') && figures.length === 2,
  }
}

async function printed({ columns, rows }: Size, args: readonly string[]) {
  await using terminal: TerminalProcess = startInTerminal({ columns, rows, command: nodeCommand(program, args) })
  const code = await terminal.exited
  const text = terminal.text()
  return { text, code, tooWide: tooWide(text, columns) }
}

function tooWide(text: string, columns: number): string[] {
  return text.split('\n').filter((line) => line.length > columns)
}
