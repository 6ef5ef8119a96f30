import type { SpanName } from '../../catalogue/spans.ts'
import type { SampleTrace } from '../../catalogue/spans-page.ts'
import { SampleParts } from './sample-parts.ts'
import { type EmittedSpan, SimMesh } from './sim-mesh.ts'
import { drawTrace } from './trace-tree.ts'

/** Traces of each kind that SPANS.md shows; the same at every run. */
export async function sampleTraces(): Promise<readonly SampleTrace[]> {
  const { spans, killedAt } = await runMesh()
  const find = (span: SpanName, node: string, holds: (one: EmittedSpan) => boolean = () => true) => {
    const found = spans.find((one) => one.span === span && one.node === node && holds(one))
    if (found === undefined) throw new Error(`the run has no such ${span} of ${node}`)
    return found
  }
  const parentOf = ({ parent, node }: EmittedSpan, span: SpanName) =>
    find(span, node, ({ ref }) => ref?.spanId === parent?.spanId)
  const draw = (title: string, root: EmittedSpan): SampleTrace => ({ title, tree: drawTrace(spans, root) })
  const leak = find('mesh.leak.suspected', 'worker')
  const expired = find('mesh.member.expired', 'worker')
  const lost = ({ at, parent }: EmittedSpan) => at >= killedAt && parent === null
  return [
    draw('A seed that starts later than the node', find('mesh.seed.dial', 'worker')),
    draw('A seed that the node gives up', find('mesh.seed.dial', 'lonely')),
    draw('Its next campaign', parentOf(find('mesh.seed.rearmed', 'lonely'), 'mesh.seed.dial')),
    draw('A link opens', find('mesh.connection.opened', 'worker')),
    draw('A link ends with a goodbye', find('mesh.goodbye.sent', 'broker')),
    draw('A link ends with the process of the other node', find('mesh.connection.closed', 'worker', lost)),
    draw('A minute in which a member expires', parentOf(parentOf(expired, 'mesh.staleness.pruned'), 'mesh.window')),
    draw('A census that finds a connection which the ledger does not know', parentOf(leak, 'mesh.audit')),
    draw('A message', find('mesh.message.published', 'worker')),
    draw('Its receipt, in the minute of the subscriber', find('mesh.message.received', 'broker')),
    draw('Its way into another mesh', find('mesh.bridge.forwarded', 'bridge')),
    draw('A request', find('mesh.request.sent', 'worker')),
    draw('A process without file descriptors', find('mesh.resource.exhausted', 'worker')),
    draw('A stop', find('mesh.node.stopped', 'broker')),
  ]
}

/** A worker that starts before its seed, a broker that leaves, a seed that is killed, and a node without one. */
async function runMesh(): Promise<{ readonly spans: readonly EmittedSpan[]; readonly killedAt: number }> {
  const mesh = new SimMesh({ seed: 7, names: ['seed', 'worker', 'broker', 'lonely'] })
  const parts = new SampleParts(mesh.clock)
  const seeds = [mesh.addressOf('seed')]
  await mesh.start('worker', { seeds })
  mesh.run(25_000)
  await mesh.start('seed', { role: 'seed' })
  await mesh.start('broker', { role: 'broker', seeds })
  mesh.run(60_000)
  await parts.takeCensuses(mesh.node('worker'))
  await parts.publish('worker', 'broker', 'bridge', 'gateway')
  parts.request('worker', 'broker')
  parts.exhaustDescriptors('worker')
  await parts.stopNode('broker')
  await mesh.stop('broker')
  const killedAt = mesh.clock.now()
  mesh.kill('seed')
  mesh.run(60_000)
  mesh.kill('worker')
  await mesh.start('lonely', { seeds })
  mesh.run(600_000)
  mesh.close()
  return { spans: [...mesh.spans, ...parts.spans], killedAt }
}
