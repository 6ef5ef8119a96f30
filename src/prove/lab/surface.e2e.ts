import { Subprocess } from '../../processes/subprocess.ts'
import { chromiumPath, launchBrowser } from '../../testing/page/browser.ts'
import { endToEnd } from '../end-to-end.ts'
import { type ProofContext, type ProofResult, unrun } from '../proof.ts'
import { walkPage } from './surface-page.ts'
import { sizes, walkTerminal } from './surface-terminal.ts'

export const proof = endToEnd({
  name: 'surface',
  about:
    'what an operator touches: the page of a lab with its store and its server dead, and its terminal of 80x24 and 120x40, keep what matters and say what happens',
  quick: false,
  seconds: 300,
  async run(context: ProofContext): Promise<ProofResult> {
    if (chromiumPath === undefined)
      return unrun(context, 'a Chromium on this machine (TRACEMESH_CHROMIUM names one)', 'found', 'none')
    const script = new Subprocess({ name: 'script', command: ['script', '--version'] })
    if ((await script.exited).code !== 0)
      return unrun(context, 'a terminal: the program script of util-linux', 'found', 'none')
    const browser = await launchBrowser()
    const page = await walkPage(browser, context).finally(() => browser.close())
    const terminals = []
    for (const size of sizes) terminals.push(await walkTerminal(size, context.progress))
    const figures = Object.fromEntries(
      terminals.map(({ figures }, index) => [`${sizes[index]?.columns}x${sizes[index]?.rows}`, figures]),
    )
    return { figures, checks: [...page, ...terminals.flatMap(({ checks }) => checks)] }
  },
})
