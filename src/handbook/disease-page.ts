import { searchUrl } from '../catalogue/searches.ts'
import { spanAnchor } from '../catalogue/span-index.ts'
import { type Disease, type DiseaseName, diseaseNames, diseaseOf, type Symptom } from '../doctor/diseases.ts'
import { type Shape, shapes } from '../zoo/shapes.ts'
import { exampleText } from './example-text.ts'
import { guides } from './guides.ts'
import { issueLink } from './issues.ts'
import { codeMarked, headingAnchor, sectionsLinked, table } from './markdown.ts'

/** Jaeger of the stack, and a mesh of the lab. */
const jaeger = 'http://127.0.0.1:16686'
const mesh = 'mesh-a'

const generated =
  'Written by `npm run generate` from `src/doctor`, `src/handbook` and `src/zoo`; a test fails when they differ. Do not edit.'

/** docs/diseases/NAME.md. */
export function renderDiseasePage(name: DiseaseName): string {
  const { title, meaning, remedy, next } = diseaseOf(name)
  const blocks = [
    `# ${title}`,
    generated,
    codeMarked(meaning),
    '## In Jaeger',
    ...searchBlocks(name),
    '## What the doctor says',
    '`tracemesh doctor` prints of a small mesh that has only this:',
    ['```text', ...exampleText(name), '```'].join('\n'),
    '## Causes',
    guides[name].causedBy.map((cause) => `- ${codeMarked(cause)}`).join('\n'),
    ...symptomBlocks(name),
    '## Cure',
    sectionsLinked(codeMarked(remedy)),
    ...(next === '' ? [] : ['## What to measure next', sectionsLinked(codeMarked(next))]),
    ...caseBlocks(shapes.filter(({ disease }) => disease === name)),
    '[All diseases](README.md)',
  ]
  return `${blocks.join('\n\n')}\n`
}

function searchBlocks(name: DiseaseName): string[] {
  const { search, attributes, compare, alerts = [], section } = guides[name]
  const tags = Object.entries(search.tags ?? {}).map(([key, value]) => `\`${key}=${value}\``)
  const url = `${jaeger}${searchUrl(mesh, search)}`
  const rows = [
    ['service', 'the mesh id'],
    ['operation', `[\`${search.span}\`](../../otel/SPANS.md#${spanAnchor(search.span)})`],
    ['tags', [...tags, '`mesh.node.name=NAME` for one node'].join(' ')],
    ['attributes to look at', attributes.map((one) => `\`${one}\``).join(' ')],
  ]
  const rung = alerts.map((alert) => `[${alert}](../../otel/ALERTS.md#${alert.toLowerCase()})`)
  return [
    table(['search by', 'value'], rows),
    `[This search of \`${mesh}\`](${url}) in the Jaeger of the stack.`,
    `**What to compare.** ${codeMarked(compare)}`,
    `More: [${section}](../diagnosing.md#${headingAnchor(section)})${rung.length === 0 ? '' : `; alerts ${rung.join(', ')}`}`,
  ]
}

const places: Readonly<Record<Symptom['at'], string>> = {
  owner: 'the same node',
  node: 'the same node, and those named with it',
  mesh: 'all nodes of the mesh',
}

/** Findings that this one explains, and those that explain it. */
function symptomBlocks(name: DiseaseName): string[] {
  const { causes = [] }: Disease = diseaseOf(name)
  const rows = causes.map(({ disease, at, part }) => [
    diseaseLink(disease as DiseaseName),
    part === undefined ? places[at] : `${places[at]}: ${part}`,
  ])
  const of = diseaseNames.filter((other) => diseaseOf(other).causes?.some(({ disease }) => disease === name))
  const blocks = [
    ...(rows.length === 0
      ? []
      : ['These findings are symptoms of it, unless they began earlier:', table(['finding', 'at'], rows)]),
    ...(of.length === 0 ? [] : [`It is itself a symptom of ${of.map(diseaseLink).join(', ')}.`]),
  ]
  return blocks.length === 0 ? [] : ['## Symptoms', ...blocks]
}

function caseBlocks(cases: readonly Shape[]): string[] {
  if (cases.length === 0) return []
  const rows = cases.map(({ id, issue, story, planted, standsFor, isSimulated }) => [
    id,
    issue === '' ? '–' : issueLink(issue),
    standsFor === undefined ? story : `${story}; stands for ${standsFor}`,
    planted,
    isSimulated ? 'yes' : 'no',
  ])
  return [
    '## Known cases',
    'What the doctor is tried on. Each is planted in real nodes, and in the simulator if that has the layer.',
    table(['case', 'from', 'what happened', 'planted in', 'simulated'], rows),
  ]
}

export function diseaseLink(name: DiseaseName): string {
  return `[${diseaseOf(name).title}](${name}.md)`
}

/** docs/diseases/README.md. */
export function renderDiseaseIndex(): string {
  const rows = diseaseNames.map((name) => {
    const { span } = guides[name].search
    const issues = new Set(shapes.filter((one) => one.disease === name && one.issue !== '').map(({ issue }) => issue))
    return [diseaseLink(name), codeMarked(diseaseOf(name).meaning), `\`${span}\``, [...issues].map(issueLink).join(' ')]
  })
  const blocks = [
    '# Diseases',
    generated,
    'A disease is a fault that the doctor can name from traces alone. Each page has its search in Jaeger, what the doctor says of it, its causes and its cure. Of findings that are equally certain, the first in this table is named first.',
    table(['disease', 'what it is', 'search', 'public issues'], rows),
    '[Diagnosing a mesh from its traces](../diagnosing.md) explains the spans by question.',
  ]
  return `${blocks.join('\n\n')}\n`
}
