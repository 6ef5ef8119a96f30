import { loadavg } from 'node:os'
import { Lab } from '../../lab/lab.ts'
import { serveLab } from '../../lab/server.ts'
import type { MeshView } from '../../page/mesh-view.ts'
import { until } from '../../testing/until.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { each } from '../checks.ts'
import { atMost, equals, type Proof, round } from '../proof.ts'

const span = 'mesh.member.expired'
/** Window and one sweep, and a second for what is slow about a machine. */
const expiryMs = 36_000
/** From the expiry until it can be found. */
const foundMs = 5_000
const bootMs = 90_000

export const proof: Proof = {
  name: 'lab-kill',
  about:
    'a node that is killed in the lab is found through /api/v3 in the traces of every survivor within 5 s of expiry',
  quick: false,
  seconds: 75,
  async run({ seed, random, progress }) {
    const lab = await Lab.start({ nodes: 8, meshes: 2, bridges: 2, seed })
    const server = await serveLab(lab, '127.0.0.1:0')
    const ask = async () => (await (await fetch(`${server.url}/api/mesh`)).json()) as MeshView
    try {
      const whole = ({ nodes }: MeshView) =>
        nodes.length === 18 && nodes.every(({ counts, meshes }) => counts.members === (meshes.length > 1 ? 17 : 9))
      await until(async () => whole(await ask()), bootMs, 'everybody knows everybody')
      const { nodes } = await ask()
      const victims = nodes.filter(({ role, meshes }) => role !== 'seed' && meshes[0] === 'mesh-a')
      const victim = victims[Math.floor(random() * victims.length)] ?? nodes[0]
      if (victim === undefined) throw new Error('the lab has no node')
      const survivors = nodes.filter(({ name, meshes }) => name !== victim.name && shareMesh(meshes, victim.meshes))
      progress(`everybody knows everybody; killing ${victim.name}`)
      const killedAt = Date.now()
      await fetch(`${server.url}/api/lab/nodes/${victim.name}/kill`, { method: 'POST' })
      const found = await findExpiries(new TraceReader(server.url), victim.id, killedAt, survivors.length)
      progress(`${found.length} of ${survivors.length} survivors have told of it`)
      const reader = new TraceReader(server.url)
      const traces = await Promise.all(found.map(({ span }) => reader.trace(span.traceId)))
      const shown = (await ask()).spans.filter((effect) => effect.span === span)
      const checks = [
        equals('survivors that told it as expired', namesOf(survivors), emittersOf(found.map((one) => one.span))),
        atMost('last expired after', expiryMs, Math.max(...found.map((one) => one.span.startMs - killedAt)), 'ms'),
        atMost(
          'longest from an expiry until it was found',
          foundMs,
          Math.max(...found.map((one) => one.afterMs)),
          'ms',
        ),
        each(
          'traces of these, opened by their ids',
          'the sweep that found it is the parent',
          found.map((one, index) => ({ span: one.span, spans: traces[index]?.spans ?? [] })),
          (one) => one.spans.some((p) => p.spanId === one.span.parentSpanId && p.name === 'mesh.staleness.pruned'),
        ),
        equals('of them in the lab’s own view', survivors.length, shown.length),
        equals(
          'the victim in that view',
          'killed',
          (await ask()).nodes.find(({ id }) => id === victim.id)?.state ?? '',
        ),
      ]
      const record = await lab.stop('shown')
      checks.push(equals('spans lost', 0, record.lost ?? -1))
      const figures = {
        victim: victim.name,
        expiredAfterMs: found.map((one) => round(one.span.startMs - killedAt)),
        foundAfterMs: found.map((one) => one.afterMs),
        loadavg: loadavg(),
      }
      return { figures, checks }
    } finally {
      await server.close()
      await lab.stop('over')
    }
  },
}

interface FoundSpan {
  readonly span: TraceSpan
  /** Milliseconds from its end until it was found. */
  readonly afterMs: number
}

/** Asks, as the page does, until so many nodes have told that this peer is expired, or it is too late. */
async function findExpiries(reader: TraceReader, peer: string, fromMs: number, count: number): Promise<FoundSpan[]> {
  const found: FoundSpan[] = []
  const look = async () => {
    for (const service of ['mesh-a', 'mesh-b']) {
      const query = { service, span, fromMs, toMs: Date.now() + 1_000, attributes: { 'mesh.peer.id': peer } }
      const { traces } = await reader.find(query)
      const spans = traces.flatMap((trace) => trace.spans)
      for (const one of spans) {
        if (one.name !== span || one.attributes['mesh.peer.id'] !== peer) continue
        if (found.some(({ span: known }) => known.spanId === one.spanId)) continue
        found.push({ span: one, afterMs: round(Date.now() - one.startMs - one.durationMs) })
      }
    }
    return found.length >= count
  }
  await until(look, expiryMs + foundMs, 'expired by all survivors').catch(() => {})
  return found
}

function shareMesh(a: readonly string[], b: readonly string[]): boolean {
  return a.some((mesh) => b.includes(mesh))
}

function namesOf(nodes: readonly { name: string }[]): string {
  return nodes
    .map(({ name }) => name)
    .sort()
    .join(' ')
}

function emittersOf(spans: readonly TraceSpan[]): string {
  return spans
    .map(({ resource }) => String(resource['mesh.node.name']))
    .sort()
    .join(' ')
}
