import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { registries } from './registries.ts'
import { spansCountedBy } from './span-counts.ts'

/** The Collector's configuration; `npm run generate` writes its generated parts. */
export const collectorConfig = fileURLToPath(new URL('../../otel/collector.yaml', import.meta.url))

/** Matches the names of spans of the mesh. */
const ofMesh = 'IsMatch(name, "^mesh\\\\.")'
/** Remove with the next version: its rule counts sweeps of nodes without a count, whose scope has no version. */
const olderSweep = 'name == "mesh.staleness.pruned" and instrumentation_scope.version == ""'

function isOneOf(names: readonly string[]): string {
  const rest = names.map((name) => name.replace(/^mesh\./, '').replaceAll('.', '\\\\.'))
  return `IsMatch(name, "^mesh\\\\.(${rest.join('|')})$")`
}

/** Filters in front of the three counters; a filter drops the spans for which one of its conditions holds. */
function filters(): string {
  const [node, trouble] = [isOneOf(spansCountedBy('node')), isOneOf(spansCountedBy('trouble'))]
  const conditions = {
    'counts-of-mesh': [`not ${ofMesh}`, node, trouble, olderSweep],
    'counts-of-nodes': [`not (${node} or ${olderSweep})`],
    'counts-of-trouble': [`not ${trouble}`],
  }
  return Object.entries(conditions)
    .map(([name, drops]) => {
      const list = drops.map((condition) => `        - '${condition}'`).join('\n')
      return `  filter/${name}:\n    error_mode: ignore\n    traces:\n      span:\n${list}`
    })
    .join('\n')
}

/** The size of each registry, which is an attribute of the census span. */
function registryGauges(): string {
  return registries
    .map((name) => {
      const size = `attributes["mesh.registry.${name}.size"]`
      return `      - name: mesh.registry.size
        description: Entries of a registry, at the last census
        include_resource_attributes: *resource
        attributes: [{ key: mesh.registry.name, default_value: ${name} }]
        conditions: ['${size} != nil']
        gauge: { value: '${size}' }`
    })
    .join('\n')
}

/** The configuration with its generated parts written anew. Throws a RangeError where one has no markers. */
export function renderCollector(config = readFileSync(collectorConfig, 'utf8')): string {
  return [['filters', filters()] as const, ['registries', registryGauges()] as const].reduce(
    (text, [part, lines]) => withPart(text, part, lines),
    config,
  )
}

function withPart(text: string, part: string, lines: string): string {
  const pattern = new RegExp(`(^ *# ${part}:begin.*\\n)[^]*?(^ *# ${part}:end$)`, 'm')
  if (!pattern.test(text))
    throw new RangeError(`no "# ${part}:begin" … "# ${part}:end" in the Collector's configuration`)
  return text.replace(pattern, (_, begin: string, end: string) => `${begin}${lines}\n${end}`)
}
