import { fileURLToPath } from 'node:url'
import { callsLimit, callsLimitFor, maxNodesOfCollector } from '../catalogue/span-counts.ts'
import { tableOf, withTable } from '../node/config-table.ts'

/** Spans of a node per second: alone with its mesh, and in the lab, where nodes also exchange messages. */
export const spansPerSecond = { idle: 0.45, lab: 1.28 } as const

/**
 * Bytes of a span, measured and rounded up: in one copy of an index of OpenSearch (753 for a million spans, before its
 * segments are merged), in badger, in the archive, in the Collector's queue.
 */
export const bytesPerSpan = { openSearch: 800, badger: 750, archive: 800, queue: 440 } as const

/** Nodes that the overlay as it is has room for. */
export const overlayNodes = 200

const daySeconds = 86_400
/** Whole days that the job `forget` keeps, and today. */
const keptDays = 8
const copies = 2
/** OpenSearch refuses writes when 95 % of a disk are in use; merges need room beside that. */
const usableShare = 0.75
const storeNodes = 3
/** Largest volume of a node of the store; more spans need more nodes. Guess. */
const volumeGib = 500
/** Spans per second that one Jaeger writes, measured on two shared processors. */
const perJaeger = 1_000
/** The queue holds the spans of an outage of six hours. */
const outageSeconds = 6 * 3_600
/** Spans in the queues at the door and before the archive. */
export const otherQueueItems = 150_000
/** Of a volume, beside what is counted: the file system's own. */
const spare = 1.05
/** The store has a week, twice. */
const archiveDays = 1
const archiveFileBytes = 100 * 2 ** 20
const gib = 2 ** 30
/** MiB, for meshes up to a number of nodes: docs/operating.md has the measurements. The last are a guess. */
const memories = [
  { upTo: 250, collector: 256, prometheus: 512 },
  { upTo: 1_000, collector: 512, prometheus: 1_024 },
  { upTo: maxNodesOfCollector, collector: 1_024, prometheus: 2_048 },
] as const

/** What the series of nodes need, if all are in one mesh. Memories are in MiB. */
export interface SeriesSizes {
  readonly callsLimit: number
  readonly collector: number
  readonly prometheus: number
}

/** Undefined: too many nodes for one Collector. */
export function seriesSizes(nodes: number): SeriesSizes | undefined {
  const memory = memories.find(({ upTo }) => nodes <= upTo)
  return memory && { callsLimit: Math.max(callsLimit, callsLimitFor(nodes)), ...memory }
}

/** Soft limit of the Go runtime: four fifths of the memory of a container, in MiB. */
function goMemory(mebibytes: number): number {
  return Math.round((mebibytes * 0.8) / 10) * 10
}

/** What a mesh of so many nodes needs, with the rate of the lab. */
export interface ClusteredSizes {
  readonly nodes: number
  readonly idleRate: number
  readonly rate: number
  readonly gbPerDay: number
  readonly storeNodes: number
  readonly storeVolumeGib: number
  readonly jaegers: number
  readonly queueItems: number
  readonly archiveFiles: number
  readonly queueVolumeGib: number
  readonly archiveVolumeGib: number
  readonly series: SeriesSizes | undefined
}

export function clusteredSizes(nodes: number): ClusteredSizes {
  const rate = nodes * spansPerSecond.lab
  const bytesPerDay = rate * daySeconds * bytesPerSpan.openSearch * copies
  const volumesGib = (bytesPerDay * keptDays) / usableShare / gib
  const storeCount = Math.max(storeNodes, Math.ceil(volumesGib / volumeGib))
  const queueItems = roundUp(rate * outageSeconds, 100_000)
  const archiveFiles = Math.ceil((rate * daySeconds * archiveDays * bytesPerSpan.archive) / archiveFileBytes)
  // Compaction writes a second copy of the queue.
  const queueBytes = 2 * (queueItems + otherQueueItems) * bytesPerSpan.queue
  return {
    nodes,
    idleRate: Math.round(nodes * spansPerSecond.idle),
    rate: Math.round(rate),
    gbPerDay: Math.round(bytesPerDay / 1e8) / 10,
    storeNodes: storeCount,
    storeVolumeGib: roundUp(volumesGib / storeCount, 10),
    jaegers: Math.max(2, Math.ceil(rate / perJaeger)),
    queueItems,
    archiveFiles,
    queueVolumeGib: roundUp((queueBytes / gib) * spare, 1),
    archiveVolumeGib: roundUp((((archiveFiles + 1) * archiveFileBytes) / gib) * spare, 1),
    series: seriesSizes(nodes),
  }
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}

const at = (path: string) => fileURLToPath(new URL(`../../deploy/k8s/${path}`, import.meta.url))
export const sizesPage = { env: at('clustered/sizes.env'), readme: at('README.md') } as const

const seriesSettings: readonly { readonly name: string; readonly value: (sizes: SeriesSizes) => string }[] = [
  { name: 'CALLS_LIMIT', value: (sizes) => String(sizes.callsLimit) },
  { name: 'COLLECTOR_MEMORY', value: ({ collector }) => `${collector}Mi` },
  { name: 'COLLECTOR_GOMEMLIMIT', value: ({ collector }) => `${goMemory(collector)}MiB` },
  { name: 'PROMETHEUS_MEMORY', value: ({ prometheus }) => `${prometheus}Mi` },
  { name: 'PROMETHEUS_GOMEMLIMIT', value: ({ prometheus }) => `${goMemory(prometheus)}MiB` },
]

/** The variables of the overlay: those of the Collector, and sizes of volumes and memory, which the overlay inserts. */
export function renderSizes(nodes = overlayNodes): string {
  const sizes = clusteredSizes(nodes)
  const { series } = sizes
  if (series === undefined)
    throw new RangeError(`${nodes} nodes are too many for one Collector: ${maxNodesOfCollector}`)
  return `# Sizes of the clustered stack for ${nodes} nodes, which belong together: the table in ../README.md has others.
# Generated by \`npm run generate\`.
QUEUE_ITEMS=${sizes.queueItems}
SPANS_FILES=${sizes.archiveFiles}
QUEUE_VOLUME=${sizes.queueVolumeGib}Gi
ARCHIVE_VOLUME=${sizes.archiveVolumeGib}Gi
STORE_VOLUME=${sizes.storeVolumeGib}Gi
${seriesSettings.map(({ name, value }) => `${name}=${value(series)}\n`).join('')}`
}

const tableNodes = [18, 100, overlayNodes, 1_000, 10_000]

/** The README with the table of sizes. */
export function withSizes(readme: string): string {
  const all = tableNodes.map(clusteredSizes)
  const row = (what: string, cell: (sizes: ClusteredSizes) => number | string) => [
    what,
    ...all.map((sizes) => cell(sizes).toLocaleString('en')),
  ]
  const rows = [
    row('spans per second, idle and as in the lab', ({ idleRate, rate }) =>
      [idleRate, rate].map((one) => one.toLocaleString('en')).join(' and '),
    ),
    row('GB per day in the store, both copies', ({ gbPerDay }) => gbPerDay),
    row('OpenSearch: machines of 3 GiB', ({ storeNodes: count }) => count),
    row('`STORE_VOLUME` of each', ({ storeVolumeGib }) => `${storeVolumeGib}Gi`),
    row('Jaegers', ({ jaegers }) => jaegers),
    row('`QUEUE_ITEMS`: six hours', ({ queueItems }) => String(queueItems)),
    row('`SPANS_FILES`: a day', ({ archiveFiles }) => String(archiveFiles)),
    row('`QUEUE_VOLUME`', ({ queueVolumeGib }) => `${queueVolumeGib}Gi`),
    row('`ARCHIVE_VOLUME`', ({ archiveVolumeGib }) => `${archiveVolumeGib}Gi`),
    ...seriesSettings.map(({ name, value }) =>
      row(`\`${name}\``, ({ series }) => (series ? value(series) : 'too many')),
    ),
  ]
  const header = ['nodes', ...tableNodes.map((nodes) => nodes.toLocaleString('en'))]
  return withTable(readme, 'sizes', tableOf(header, rows))
}
