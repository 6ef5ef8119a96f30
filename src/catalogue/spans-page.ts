import { fileURLToPath } from 'node:url'
import type { AttributeSpec } from './attribute-spec.ts'
import { type AttributeName, attributes } from './attributes.ts'
import { registryEntries } from './registries.ts'
import { attributesOf, specOf } from './span-effect.ts'
import { attributeIndex, isRegistrySpan, spanAnchor } from './span-index.ts'
import { type Relative, type SpanName, type SpanSpec, spans } from './spans.ts'

/** The committed page; `npm run generate` writes it. */
export const spansPage = fileURLToPath(new URL('../../otel/SPANS.md', import.meta.url))

/** One trace of a run in virtual time, as a tree. */
export interface SampleTrace {
  readonly title: string
  readonly tree: readonly string[]
}

const resource: readonly (readonly [name: string, stability: 'Stable' | 'Development', brief: string])[] = [
  ['service.name', 'Stable', 'Id of the mesh: one service per mesh.'],
  ['service.namespace', 'Stable', '`tracemesh`, unless `OTEL_RESOURCE_ATTRIBUTES` names another.'],
  ['service.version', 'Stable', 'Version of the software.'],
  ['service.instance.id', 'Stable', 'New at every start of a process.'],
  [
    'host.id',
    'Development',
    'Id of the machine until its next boot, the same in all its containers: spans with the same id have the same clock. The Collector copies it to `ip`, by which Jaeger identifies hosts.',
  ],
  ['mesh.id', 'Development', 'Id of the mesh.'],
  ['mesh.node.name', 'Development', attributes['mesh.node.name'].brief],
  ['mesh.node.role', 'Development', attributes['mesh.node.role'].brief],
  ['mesh.node.incarnation', 'Development', attributes['mesh.node.incarnation'].brief],
  ['mesh.peer.self', 'Development', 'Peer id of the node: for searching, never a metric label.'],
]

/** SPANS.md: every span with its attributes, from the catalogue. */
export function renderSpans(samples: readonly SampleTrace[]): string {
  const names = Object.keys(spans) as SpanName[]
  return [
    '# Spans',
    'Written by `npm run generate` from `src/catalogue`; a test fails when the two differ. Do not edit.',
    'Every span is of kind INTERNAL unless its section names another, and ends when the node emits it; its status is ERROR if an invariant is broken or an attempt failed, and unset otherwise.',
    `Every span carries \`mesh.seq\`. ${attributes['mesh.seq'].brief}`,
    'The instrumentation scope is `tracemesh` with the version of the software and the schema URL of the semantic conventions, which define the names outside `mesh.`.',
    'Strings are cut at 256 characters, lists at 32 elements.',
    'Requirement levels, stability and units are those of [OpenTelemetry](https://opentelemetry.io/docs/specs/semconv/general/attribute-requirement-level/): a Required attribute is on every span of its name, a Conditionally Required one under its condition, a Recommended one where it can be read; units are UCUM. All spans and all attributes of `mesh.` are in Development: a name may change with a minor version, and readers and the Collector understand the name before for one version.',
    '## Resource',
    table(
      ['attribute', 'stability', 'meaning'],
      resource.map(([name, stability, brief]) => [`\`${name}\``, stability, brief]),
    ),
    '## All spans',
    'A span is a root, too, where sampling drops the window that is its parent (`MESH_TRACE_ROUTINE`), before the first window, and where the other end does not export its spans.',
    table(['span', 'parent', 'links to', 'when'], names.map(overviewRow)),
    '## Sample traces',
    'Of nodes in virtual time: the offset from the begin of the trace, the duration unless the span is a marker, and what it links to (→).',
    ...samples.flatMap(({ title, tree }) => [`### ${title}`, ['```text', ...tree, '```'].join('\n')]),
    ...names.filter((name) => !isRegistrySpan(name)).flatMap((name) => section(name, specOf(spans, name))),
    ...registrySection(names.filter(isRegistrySpan)),
    ...attributeIndex(),
  ]
    .join('\n\n')
    .concat('\n')
}

function overviewRow(name: SpanName): string[] {
  const { parents, links, when } = specOf(spans, name)
  return [`[\`${name}\`](#${spanAnchor(name)})`, parentsText(parents), relativesText(links ?? []), when]
}

function parentsText(parents: readonly Relative[] = ['mesh.window']): string {
  return relativesText(parents)
}

function relativesText(relatives: readonly Relative[]): string {
  return relatives.map(relativeText).join(', or ')
}

function relativeText(relative: Relative): string {
  if (relative === 'root') return 'none'
  if (relative === 'application') return 'a span of the application'
  if (relative === 'evidence') return 'the spans that prove it'
  const [whose, name = whose] = relative.split(' ')
  const text = `\`${name}\``
  return whose === 'remote' ? `${text} of the other end` : whose === 'previous' ? `the previous ${text}` : text
}

function section(name: SpanName, spec: SpanSpec): string[] {
  return [`## ${name}`, spec.brief, facts(spec), attributeTable(spec)]
}

/** All registries have the same attributes, so one table. */
function registrySection(names: readonly SpanName[]): string[] {
  const [first] = names
  if (first === undefined) return []
  const spec = specOf(spans, first)
  const rows = names.map((name) => {
    const registry = name.replace('mesh.audit.', '') as keyof typeof registryEntries
    return [`<a id="${spanAnchor(name)}"></a>\`${name}\``, registryEntries[registry]]
  })
  return ['## Registries', spec.brief, facts(spec), table(['span', 'an entry'], rows), attributeTable(spec)]
}

function facts(spec: SpanSpec): string {
  return [
    `- When: ${spec.when}`,
    `- Parent: ${parentsText(spec.parents)}`,
    ...(spec.links === undefined ? [] : [`- Links to: ${relativesText(spec.links)}`]),
    `- Log level: ${spec.log}${spec.routineLog === undefined ? '' : `, ${spec.routineLog} while routine`}`,
    ...(spec.kind === undefined ? [] : [`- Kind: ${spec.kind.toUpperCase()}`]),
    ...(spec.routine === undefined ? [] : [`- Routine: ${routineText(spec.routine)}`]),
    ...(spec.failed ? ['- Status: ERROR'] : []),
  ].join('\n')
}

function attributeTable(spec: SpanSpec): string {
  const rows = attributesOf(spec).map((name) => {
    const { type, unit, brief }: AttributeSpec = attributes[name]
    return [`\`${name}\``, typeText(type), unit ?? '', levelText(spec, name), stabilityText(name), brief]
  })
  return table(['attribute', 'type', 'unit', 'requirement level', 'stability', 'meaning'], rows)
}

function levelText({ optional }: SpanSpec, name: AttributeName): string {
  const level = optional?.[name]
  if (level === undefined) return 'Required'
  return level === 'recommended' ? 'Recommended' : `Conditionally Required: ${level}`
}

function stabilityText(name: AttributeName): string {
  const { stability }: AttributeSpec = attributes[name]
  return stability === 'stable' ? 'Stable' : 'Development'
}

function routineText(routine: NonNullable<SpanSpec['routine']>): string {
  const share = 'the node exports the share `MESH_TRACE_ROUTINE`'
  return routine === true
    ? share
    : `${share}, while ${routine.whenZero.map((name) => `\`${name}\``).join(' and ')} ${routine.whenZero.length === 1 ? 'is' : 'are'} 0`
}

function typeText(type: AttributeSpec['type']): string {
  return typeof type === 'string' ? type : type.map((value) => `\`${value}\``).join(' ')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
