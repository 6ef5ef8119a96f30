import type { TraceSpan } from '../../traces/trace.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { partOf, pointsOf } from '../judgement/growth.ts'
import { numberOf, textsOf } from '../judgement/statements.ts'
import type { Rule } from '../rule.ts'

/** Handles that a stopped node of its own process may not have: listening sockets. */
const listening = /^(TCPServerWrap|UDPWrap)\b/
/** Names in the summary. */
const most = 4

/** A stop closes libp2p last; on a starved machine that takes longer than it may, and is whole soon after. */
const slowStep = 'libp2p'
/** Seconds of event-loop delay, and part of a limit by which its own timer is late, that only a starved process has. */
const [starvedDelayS, starvedLateness] = [0.2, 0.1]

/** A stop that missed a step or failed in one, or after which the node still holds something: it says so itself. */
export const incompleteShutdown: Rule = {
  name: 'incomplete-shutdown',
  find: ({ instances }) => instances.flatMap((instance) => findingOf(instance) ?? []),
}

function findingOf(instance: Instance): Finding | undefined {
  const stop = instance.spans('mesh.node.stopped').at(-1)
  if (stop === undefined) return undefined
  const problems = problemsOf(stop)
  const steps = instance.spans('mesh.node.step').filter(({ attributes }) => attributes['mesh.step.error'])
  // The span of a step that failed says why. It may be missing.
  const unexplained = textsOf(stop, 'mesh.stop.failed').filter(
    (name) => !steps.some(({ attributes }) => attributes['mesh.step.name'] === name),
  )
  const isKnown = unexplained.length === 0
  const isSlow =
    steps.every(isTimeout) && (isKnown ? steps.at(-1)?.attributes['mesh.step.name'] : unexplained.at(-1)) === slowStep
  const isWhole = problems.every(({ what }) => what === failed)
  const isStarved = isSlow && (steps.some(isLate) || delayOf(instance) >= starvedDelayS)
  if (problems.length === 0 || (isStarved && isKnown && isWhole)) return undefined
  const isOnlyOpen = problems.every(({ what }) => what === open)
  return {
    disease: 'incomplete-shutdown',
    owner: partOf(instance, `stop: ${problems[0]?.names[0] ?? 'process'}`),
    certainty: isStarved ? 'insufficient' : isOnlyOpen || (isSlow && isWhole) ? 'likely' : 'certain',
    sinceMs: instance.stopMs,
    summary: problems.map(({ what, names }) => `${what}: ${listText(names)}`).join('; '),
    proof: [stop, ...steps.slice(0, 7)].map(witnessOf),
    ...(isStarved && {
      missing: isKnown ? 'a stop of a process that gets enough CPU' : `the error of the step ${unexplained.join(', ')}`,
    }),
  }
}

function isTimeout({ attributes }: TraceSpan): boolean {
  return String(attributes['mesh.step.error']).startsWith('MESH_STEP_TIMEOUT')
}

/** The timer of the limit itself fired late: the error has the limit, as `within 1350 ms`. */
function isLate(step: TraceSpan): boolean {
  const limitMs = Number(/within (\d+) ms/.exec(String(step.attributes['mesh.step.error']))?.[1])
  return numberOf(step, 'mesh.step.duration_ms') > (1 + starvedLateness) * limitMs
}

/** Longest delay in the last two censuses; without any it may have been any. */
function delayOf(instance: Instance): number {
  const delays = pointsOf(instance, 'nodejs.eventloop.delay.max').slice(-2)
  return delays.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...delays.map(({ value }) => value))
}

const [failed, open] = ['steps that failed', 'still open']

interface Problem {
  readonly what: string
  readonly names: readonly string[]
}

function problemsOf(stop: TraceSpan): Problem[] {
  const held = textsOf(stop, 'mesh.stop.held')
  const unnamed = held.length === 0 && numberOf(stop, 'mesh.stop.held_count') > 0
  const problems = [
    { what: failed, names: textsOf(stop, 'mesh.stop.failed') },
    { what: 'steps that did not run', names: textsOf(stop, 'mesh.stop.missing') },
    { what: 'still held', names: unnamed ? [`${numberOf(stop, 'mesh.stop.held_count')} resources`] : held },
    { what: open, names: textsOf(stop, 'mesh.stop.left').filter((name) => listening.test(name)) },
  ]
  return problems.filter(({ names }) => names.length > 0)
}

function listText(names: readonly string[]): string {
  const more = names.length - most
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
