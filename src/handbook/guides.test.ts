import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { attributes as declared } from '../catalogue/attributes.ts'
import { attributesOf } from '../catalogue/span-effect.ts'
import { spans } from '../catalogue/spans.ts'
import { diseaseNames, diseaseOf } from '../doctor/diseases.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { shapes } from '../zoo/shapes.ts'
import { examineExample, exampleText } from './example-text.ts'
import { guides } from './guides.ts'
import { issueLink } from './issues.ts'
import { codeMarked, sectionsIn, sectionsLinked } from './markdown.ts'

leakCheck()

/** On every span, by its process. */
const resource = ['mesh.node.name', 'mesh.peer.self', 'mesh.node.role', 'mesh.node.incarnation', 'mesh.seq']
const known: readonly string[] = [...Object.keys(spans), ...Object.keys(declared), ...resource]

for (const name of diseaseNames) {
  test(`${name}: the search asks for attributes that its span has, and the text names no others`, () => {
    const { search, attributes, compare } = guides[name]
    const onSpan: readonly string[] = attributesOf(spans[search.span])
    const asked = [...Object.keys(search.tags ?? {}), ...attributes]
    assert.deepEqual(
      asked.filter((attribute) => !onSpan.includes(attribute)),
      [],
    )
    const { remedy, next, meaning } = diseaseOf(name)
    const mentioned = [compare, remedy, next, meaning].join(' ').match(/\bmesh\.[a-z0-9_.]*[a-z0-9_]/g) ?? []
    assert.deepEqual(
      mentioned.filter((one) => !known.includes(one) && one !== 'mesh.audit'),
      [],
    )
  })

  test(`${name}: its example has this one disease, of one node or of all`, () => {
    const { findings } = examineExample(name).diagnosis
    assert.deepEqual(
      findings.map(({ disease, owner, certainty }) => [disease, owner.node || 'node-3', certainty !== 'insufficient']),
      [[name, 'node-3', true]],
    )
  })
}

test('all examples: times of one morning, and ids as nodes make them', () => {
  for (const name of diseaseNames) {
    const text = exampleText(name).join('\n')
    assert.deepEqual([...new Set(text.match(/\b\d{4}-\d\d-\d\d\b/g))], ['2026-03-12'], name)
    for (const id of text.match(/\b[0-9a-f]{16,}\b/g) ?? []) assert.doesNotMatch(id, /0000/, name)
    assert.doesNotMatch(text, /\bpeer-(?:of-)?node/, name)
  }
})

test('an issue of the zoo: a link to its public page; of an unknown repository: an error', () => {
  for (const { issue } of shapes)
    if (issue !== '') assert.match(issueLink(issue), /\]\(https:\/\/(?:github\.com|www\.cve\.org)\//)
  assert.throws(() => issueLink('shop#3'), /no repository is known for issue shop#3/)
})

test('marks in a text: names become code once, sections of other documents become links', () => {
  assert.equal(
    codeMarked('set MESH_SEEDS; `mesh.audit` and mesh.audit.links'),
    'set `MESH_SEEDS`; `mesh.audit` and `mesh.audit.links`',
  )
  assert.equal(
    sectionsLinked('See "Were spans lost?" in docs/diagnosing.md, and "Profiles" in docs/operating.md.'),
    'See [Were spans lost?](../diagnosing.md#were-spans-lost), and [Profiles](../operating.md#profiles).',
  )
})

test('what to do and what to measure: every section that they name is there, and no other place is named', () => {
  for (const name of diseaseNames) {
    const { remedy, next } = diseaseOf(name)
    assert.notEqual(remedy, '', name)
    assert.doesNotMatch(
      `${remedy} ${next}`.replaceAll(/"[^"]+" in docs\/[\w-]+\.md/g, ''),
      /\bsee (?!\.)\w|README|docs/i,
      name,
    )
    for (const { section, document } of sectionsIn(`${remedy} ${next}`)) {
      const text = readFileSync(new URL(`../../docs/${document}`, import.meta.url), 'utf8')
      assert.ok(text.includes(`\n## ${section}\n`), `${name}: ${section} in ${document}`)
    }
  }
})

test('a limit that does not limit: no word of limits that are off, which its rule does not find', () => {
  const { meaning, remedy } = diseaseOf('limits-off')
  assert.doesNotMatch(`${meaning} ${remedy}`, /\boff\b/)
})
