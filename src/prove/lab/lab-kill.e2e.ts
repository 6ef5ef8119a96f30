import { Lab } from '../../lab/lab.ts'
import { serveLab } from '../../lab/server.ts'
import type { MeshView } from '../../page/mesh-view.ts'
import { until } from '../../processes/waiting.ts'
import { TraceReader } from '../../traces/reader.ts'
import type { TraceSpan } from '../../traces/trace.ts'
import { endToEnd } from '../end-to-end.ts'
import { nameOf } from '../evidence.ts'
import { joined } from '../mesh/kill.e2e.ts'
import { deathLimits } from '../mesh/mesh.ts'
import { atMost, each, equals, round } from '../proof.ts'

const span = 'mesh.member.expired'
/** From the expiry until a search finds it. */
const foundMs = 5_000
const bootMs = 90_000

export const proof = endToEnd({
  name: 'lab-kill',
  about: '/api/v3 finds the expiry of a node killed in the lab, in the traces of every survivor, within 5 s',
  quick: false,
  seconds: 75,
  async run({ seed, random, progress }) {
    const lab = await Lab.start({ nodes: 8, meshes: 2, bridges: 2, seed })
    const server = await serveLab(lab, '127.0.0.1:0')
    const fetchView = async () => (await (await fetch(`${server.url}/api/mesh`)).json()) as MeshView
    try {
      const isComplete = ({ nodes }: MeshView) =>
        nodes.length === 18 && nodes.every(({ counts, meshes }) => counts.members === (meshes.length > 1 ? 17 : 9))
      await until(async () => isComplete(await fetchView()), bootMs, 'complete membership')
      const { nodes } = await fetchView()
      const victims = nodes.filter(({ role, meshes }) => role !== 'seed' && meshes[0] === 'mesh-a')
      const victim = victims[Math.floor(random() * victims.length)] ?? nodes[0]
      if (victim === undefined) throw new Error('the lab has no node')
      const survivors = nodes.filter(({ name, meshes }) => name !== victim.name && shareMesh(meshes, victim.meshes))
      progress(`complete membership; killing ${victim.name}`)
      const killedAt = Date.now()
      await fetch(`${server.url}/api/lab/nodes/${victim.name}/kill`, { method: 'POST' })
      const reader = new TraceReader(server.url)
      const expiries = await findExpiries(reader, victim.id, killedAt, survivors.length)
      progress(`${expiries.length} of ${survivors.length} survivors have emitted its expiry`)
      const parents = await Promise.all(
        expiries.map(async ({ span: { traceId, parentSpanId } }) => {
          const trace = await reader.trace(traceId)
          return trace?.spans.find(({ spanId }) => spanId === parentSpanId)?.name
        }),
      )
      const view = await fetchView()
      const shownExpiries = view.spans.filter((effect) => effect.span === span)
      const names = survivors.map(({ name }) => name)
      const latestMs = Math.max(...expiries.map((one) => one.afterMs))
      const checks = [
        equals('survivors that emitted its expiry', joined(names), joined(expiries.map(({ span }) => nameOf(span)))),
        atMost(
          'last expired after',
          deathLimits.expiredMs,
          Math.max(...expiries.map((one) => one.span.startMs - killedAt)),
          'ms',
        ),
        atMost('longest from an expiry until a search finds it', foundMs, latestMs, 'ms'),
        each('traces of the expiries, by their ids', 'the sweep is the parent', parents, (parent) => {
          return parent === 'mesh.staleness.pruned'
        }),
        equals('of them in the lab’s own view', survivors.length, shownExpiries.length),
        equals('the victim in that view', 'killed', view.nodes.find(({ id }) => id === victim.id)?.state ?? ''),
      ]
      const record = await lab.stop('shown')
      checks.push(equals('spans lost', 0, record.lost ?? -1))
      const figures = {
        victim: victim.name,
        expiredAfterMs: expiries.map((one) => round(one.span.startMs - killedAt)),
        foundAfterMs: expiries.map((one) => one.afterMs),
      }
      return { figures, checks }
    } finally {
      await server.close()
      await lab.stop('over')
    }
  },
})

/**
 * Searches, as the page does, until `count` nodes have emitted the expiry of this peer, or the limit. `afterMs`: from the
 * end of a span until a search found it.
 */
async function findExpiries(reader: TraceReader, peer: string, fromMs: number, count: number) {
  const expiries: { span: TraceSpan; afterMs: number }[] = []
  const poll = async () => {
    for (const service of ['mesh-a', 'mesh-b']) {
      const query = { service, span, fromMs, toMs: Date.now() + 1_000, attributes: { 'mesh.peer.id': peer } }
      const { traces } = await reader.find(query)
      const spans = traces.flatMap((trace) => trace.spans)
      for (const one of spans) {
        if (one.name !== span || one.attributes['mesh.peer.id'] !== peer) continue
        if (expiries.some(({ span: other }) => other.spanId === one.spanId)) continue
        expiries.push({ span: one, afterMs: round(Date.now() - one.startMs - one.durationMs) })
      }
    }
    return expiries.length >= count
  }
  await until(poll, deathLimits.expiredMs + foundMs, 'expired by all survivors').catch(() => {})
  return expiries
}

function shareMesh(a: readonly string[], b: readonly string[]): boolean {
  return a.some((mesh) => b.includes(mesh))
}
