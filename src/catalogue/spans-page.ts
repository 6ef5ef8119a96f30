import { fileURLToPath } from 'node:url'
import { type AttributeSpec, attributes } from './attributes.ts'
import { specOf } from './span-effect.ts'
import { attributeIndex, spanAnchor } from './span-index.ts'
import { type SpanName, type SpanSpec, spans } from './spans.ts'

/** The committed page; `npm run generate` writes it. */
export const spansPage = fileURLToPath(new URL('../../otel/SPANS.md', import.meta.url))

const resource = [
  ['service.name', 'Id of the mesh: one service per mesh.'],
  ['service.namespace', '`tracemesh`, unless `OTEL_RESOURCE_ATTRIBUTES` names another.'],
  ['service.version', 'Version of the software.'],
  ['service.instance.id', 'New at every start of a process.'],
  [
    'host.id',
    'Id of the machine until its next boot, the same in all its containers: spans with the same id have the same clock. The Collector copies it to `ip`, by which Jaeger identifies hosts.',
  ],
  ['mesh.id', 'Id of the mesh.'],
  ['mesh.node.name', attributes['mesh.node.name'].brief],
  ['mesh.node.role', attributes['mesh.node.role'].brief],
  ['mesh.node.incarnation', attributes['mesh.node.incarnation'].brief],
  ['mesh.peer.self', 'Peer id of the node: for searching, never a metric label.'],
] as const

/** SPANS.md: every span with its attributes, from the catalogue. */
export function renderSpans(): string {
  const names = Object.keys(spans) as SpanName[]
  return [
    '# Spans',
    'Written by `npm run generate` from `src/catalogue`; a test fails when the two differ. Do not edit.',
    'Every span is of kind INTERNAL unless its section names another, and ends when the node emits it; its status is ERROR if an invariant is broken or an attempt failed, and unset otherwise.',
    `Every span carries \`mesh.seq\`. ${attributes['mesh.seq'].brief}`,
    'The instrumentation scope is `tracemesh` with the version of the software and the schema URL of the semantic conventions, which define the names outside `mesh.`.',
    'Strings are cut at 256 characters, lists at 32 elements.',
    '## Resource',
    table(
      ['attribute', 'meaning'],
      resource.map(([name, brief]) => [`\`${name}\``, brief]),
    ),
    '## All spans',
    table(
      ['span', 'when'],
      names.map((name) => [`[\`${name}\`](#${spanAnchor(name)})`, specOf(spans, name).when]),
    ),
    ...names.flatMap((name) => section(name, specOf(spans, name))),
    ...attributeIndex(),
  ]
    .join('\n\n')
    .concat('\n')
}

function section(name: SpanName, spec: SpanSpec): string[] {
  const optional = spec.optional ?? []
  const rows = [...spec.attributes, ...optional].map((attribute) => {
    const { type, brief }: AttributeSpec = attributes[attribute]
    const text = optional.includes(attribute) ? `${brief} Optional.` : brief
    return [`\`${attribute}\``, typeText(type), text]
  })
  return [
    `## ${name}`,
    spec.brief,
    [
      `- When: ${spec.when}`,
      `- Log level: ${spec.log}${spec.routineLog === undefined ? '' : `, ${spec.routineLog} while routine`}`,
      ...(spec.kind === undefined ? [] : [`- Kind: ${spec.kind.toUpperCase()}`]),
      ...(spec.routine === undefined ? [] : [`- Routine: ${routineText(spec.routine)}`]),
      ...(spec.failed ? ['- Status: ERROR'] : []),
    ].join('\n'),
    table(['attribute', 'type', 'meaning'], rows),
  ]
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
