import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { diseasePages, diseasesOfAlerts } from '../handbook/pages.ts'
import { readmePage, withSample } from '../handbook/readme-sample.ts'
import { withConfigDocs } from '../node/config-table.ts'
import { renderSizes, sizesPage, withSizes } from '../stack/clustered-sizes.ts'
import { sampleTraces } from '../testing/sim/sample-traces.ts'
import { alertsPage, renderAlertsPage } from './alerts/page.ts'
import { renderRuleTests, ruleTestPages } from './alerts/rule-tests.ts'
import { operatorRulesPage, renderOperatorRules, renderRules, rulesPage } from './alerts/rules.ts'
import { collectorConfig, renderCollector } from './collector-series.ts'
import { boardPage, renderBoard } from './grafana-board.ts'
import { jaegerUiPage, renderJaegerUi } from './jaeger-ui.ts'
import { renderSpans, spansPage } from './spans-page.ts'

export interface Page {
  readonly file: string
  readonly render: () => string | Promise<string>
}

const configPage = fileURLToPath(new URL('../../docs/configuration.md', import.meta.url))

/** All generated files; `npm run generate` writes them, `npm run generate -- --check` compares them. */
export const pages: readonly Page[] = [
  { file: spansPage, render: async () => renderSpans(await sampleTraces()) },
  { file: alertsPage, render: () => renderAlertsPage(diseasesOfAlerts) },
  { file: rulesPage, render: () => renderRules({ timeFactor: 1 }) },
  { file: operatorRulesPage, render: renderOperatorRules },
  ...(['short', 'long', 'days'] as const).map((which) => ({
    file: ruleTestPages[which],
    render: () => renderRuleTests(which),
  })),
  { file: jaegerUiPage, render: () => renderJaegerUi() },
  { file: boardPage, render: () => renderBoard() },
  { file: collectorConfig, render: () => renderCollector() },
  { file: sizesPage.env, render: () => renderSizes() },
  { file: sizesPage.readme, render: () => withSizes(readFileSync(sizesPage.readme, 'utf8')) },
  ...diseasePages,
  { file: readmePage, render: () => withSample(readFileSync(readmePage, 'utf8')) },
  { file: configPage, render: () => withConfigDocs(readFileSync(configPage, 'utf8')) },
]

/** Exit code: 0 if all pages are written or current, 1 if `--check` finds stale ones, which it names. */
export async function main(args: readonly string[], all: readonly Page[] = pages): Promise<number> {
  if (!args.includes('--check')) {
    for (const { file, render } of all) {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, await render())
    }
    return 0
  }
  const texts = await Promise.all(all.map(({ file }) => readFile(file, 'utf8').catch(() => '')))
  const current = await Promise.all(all.map(({ render }) => render()))
  const stale = all.filter((_, index) => texts[index] !== current[index])
  for (const { file } of stale) process.stderr.write(`${file} is stale; run \`npm run generate\`\n`)
  return stale.length === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
