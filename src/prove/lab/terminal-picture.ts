import type { Page } from 'playwright-core'
import type { Paint } from '../../lab/lines.ts'
import type { Colour } from '../../lab/node-log.ts'
import { screen } from '../../lab/screen.ts'
import type { MeshView } from '../../page/mesh-view.ts'

const size = { columns: 118, rows: 36 }
/** Marks of a colour's start and end: private characters, which no node name may contain. */
const marks: Readonly<Record<Colour, string>> = {
  green: '\ue001',
  yellow: '\ue002',
  red: '\ue003',
  cyan: '\ue004',
  gray: '\ue005',
}
const end = '\ue000'
const style = `body{margin:0;background:#12161d}pre{margin:0;padding:14px 18px;color:#dfe5ee;display:inline-block;
font:13px/1.35 ui-monospace,"DejaVu Sans Mono",monospace}.green{color:#7fd6a0}.yellow{color:#e8b45c}.red{color:#ff8a80}
.cyan{color:#7cc7e8}.gray{color:#8b97a8}`

/** Draws the current terminal of a lab in its own page, and takes a picture of it. */
export async function pictureTerminal(page: Page, view: MeshView, url: string): Promise<Buffer> {
  const paint: Paint = (colour, text) => `${marks[colour]}${text}${end}`
  // The picture uses the colours of the lab's terminal.
  const spans = view.spans.map((span) => ({ colour: 'gray' as const, ...span }))
  const seconds = Math.max(0, ...view.boot.map(({ atMs }) => atMs)) / 1_000
  const selected = view.nodes[0]?.name ?? ''
  const lines = screen({ view, spans, selected, ...size, seconds, page: url, notice: '', help: false, paint })
  await page.setContent(`<style>${style}</style><pre>${html(lines.join('\n'))}</pre>`)
  return page.locator('pre').screenshot()
}

function html(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const opened = Object.entries(marks).reduce(
    (all, [colour, mark]) => all.replaceAll(mark, `<span class="${colour}">`),
    escaped,
  )
  return opened.replaceAll(end, '</span>')
}
