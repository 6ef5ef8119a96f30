import { setTimeout as sleep } from 'node:timers/promises'
import type { CensusAttribute } from '../../catalogue/census.ts'
import { type NodeProcess, startCluster } from '../../testing/cluster/cluster.ts'
import type { ReceivedSpan } from '../../testing/otlp/otlp-receiver.ts'
import { endToEnd } from '../end-to-end.ts'
import { numberOf, spansNamed, timeUntil } from '../evidence.ts'
import { atLeast, atMost, type Check, each, equals } from '../proof.ts'
import { testProgram } from '../shell.ts'
import { promptSpans } from './mesh.ts'

/** A planted leak, what the census must show more of, and how much a clean node may differ between two censuses. */
interface Row {
  readonly planted: string
  readonly attribute: CensusAttribute
  readonly least: number
  readonly noise: number
}

const rows: readonly Row[] = [
  { planted: '50 UDP sockets', attribute: 'mesh.audit.sockets_udp', least: 50, noise: 2 },
  { planted: '50 UDP sockets', attribute: 'process.unix.file_descriptor.count', least: 50, noise: 6 },
  { planted: '200 unreferenced timers', attribute: 'mesh.audit.timers_unref', least: 200, noise: 20 },
  { planted: '20 MB of buffers', attribute: 'mesh.memory.external', least: 19e6, noise: 4e6 },
  { planted: '20 MB of buffers', attribute: 'mesh.memory.external_floor', least: 19e6, noise: 4e6 },
]

/** A leak must show within this time. The heap is sampled for 15 s after the suspicion. */
const shownMs = 60_000
const suspicionMs = 100_000

const about =
  'planted sockets, timers and buffers show in the census within 60 s, a suspected leak names the function that leaks, and a clean node shows none'

export const proof = endToEnd({
  name: 'process-evidence',
  about,
  quick: false,
  seconds: 130,
  async run({ progress, signal }) {
    await using cluster = await startCluster(promptSpans)
    const { spans } = cluster.receiver
    const entry = testProgram('cluster/planted-node.ts')
    const clean = await cluster.node('clean', { role: 'seed', entry })
    const seeds = [cluster.address('clean')]
    const ill = await cluster.node('ill', { seeds, entry, env: { MESH_FAULTS: 'keep-ghosts' } })
    const audits = (node: NodeProcess) => spansNamed(spans, 'mesh.audit', node.name)
    await timeUntil(60_000, () => [clean, ill].every((node) => audits(node).length >= 2))
    const before = { clean: audits(clean).at(-1), ill: audits(ill).at(-1) }
    progress('planting')
    ill.kill('SIGUSR2')
    const began = performance.now()
    const shown = await Promise.all(
      rows.map(async (row) => ({
        ...row,
        ms: await timeUntil(shownMs, () => grown(row, before.ill, audits(ill)) >= row.least),
      })),
    )
    progress('waiting for the suspicion and its sites')
    const sites = () => spansNamed(spans, 'mesh.heap.site', 'ill')
    await timeUntil(suspicionMs, () => sites().length >= 5)
    await sleep(Math.max(0, shownMs - (performance.now() - began)), undefined, { signal })
    const suspicions = spansNamed(spans, 'mesh.leak.suspected', 'ill').map(({ spanId }) => spanId)
    const table = shown.map((row) => ({
      planted: row.planted,
      attribute: row.attribute,
      seenAfterMs: Math.round(row.ms),
      ill: grown(row, before.ill, audits(ill)),
      clean: grown(row, before.clean, audits(clean)),
      noise: row.noise,
    }))
    const [largest] = sites().toSorted((a, b) => numberOf(b, 'mesh.heap.bytes') - numberOf(a, 'mesh.heap.bytes'))
    const file = String(largest?.attributes['code.file.path'])
    const checks: Check[] = [
      ...shown.map(({ planted, attribute, ms }) =>
        atMost(`${planted}: time to show in ${attribute}`, shownMs, ms, 'ms'),
      ),
      each('growth in the clean node', 'within its noise', table, ({ clean, noise }) => Math.abs(clean) <= noise),
      equals('sites of the suspected leak', 5, sites().length),
      equals('the largest site is the function that leaks', true, file.endsWith('planted-node.ts')),
      each('sites', 'children of the suspicion', sites(), ({ parentSpanId }) =>
        suspicions.includes(parentSpanId ?? ''),
      ),
      equals('sites of the clean node', 0, spansNamed(spans, 'mesh.heap.site', 'clean').length),
      atLeast('censuses of the clean node', 2, audits(clean).length),
    ]
    return { figures: { table, sites: sites().map(({ attributes }) => attributes) }, checks }
  },
})

/** Difference of the last census from an earlier one; a count that was absent then begins at 0. */
function grown({ attribute }: Row, before: ReceivedSpan | undefined, audits: readonly ReceivedSpan[]): number {
  const last = audits.at(-1)
  if (before === undefined || last === undefined) return Number.NaN
  const base = before.attributes[attribute] ?? before.attributes[attribute.replace('_floor', '') as CensusAttribute]
  // A clean node may have had no major collection yet.
  if (last.attributes[attribute] === undefined && attribute.endsWith('_floor')) return 0
  return numberOf(last, attribute) - Number(base)
}
