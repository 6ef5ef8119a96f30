import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  readonly id: string
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

/** What axe finds wrong with the page as it is shown, by all its rules; each with the first element. */
export async function axeViolations(page: Page): Promise<string[]> {
  await page.evaluate(source)
  const violations = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)`,
  )) as readonly Violation[]
  return violations.map(({ id, help, nodes }) => {
    const [first] = nodes
    const why = first?.failureSummary?.split('\n').slice(1).join(' ').trim() ?? ''
    return `${id}: ${help}: ${first?.html.slice(0, 120)} (${why.slice(0, 160)}; ${nodes.length} in all)`
  })
}
