import { exitCodes, type Terminal } from '../commands/command.ts'
import { MeshError } from '../core/errors.ts'
import type { Diagnosis } from '../doctor/diagnose.ts'
import { rules } from '../doctor/rules/all.ts'
import type { TraceSpan } from '../traces/trace.ts'
import { diagnoseSpans, judge, type Outcome, type Truth } from './judge.ts'
import type { Source } from './score-all.ts'
import { recordedSubject, simulatedSubjects } from './subject.ts'

/** Replays one run: a recording as it was, or with the mutations of a seed, or a run of the simulator. */
export async function replay(name: string, source: Source, directory: string, seed: number | undefined, io: Terminal) {
  const subject =
    source === 'recorded'
      ? await recordedSubject(name, directory)
      : (await simulatedSubjects()).find((one) => one.name === name)
  if (subject === undefined)
    throw new MeshError('MESH_CONFIG_INVALID', { key: 'name', given: name, expected: 'a run of the simulator' })
  const { spans, truth } = seed === undefined ? (subject.recording ?? (await subject.run(1))) : await subject.run(seed)
  return report(spans, truth, io)
}

function report(spans: readonly TraceSpan[], truth: Truth, io: Terminal): number {
  const diagnosis = diagnoseSpans(spans, rules)
  const outcome = judge(diagnosis, truth)
  io.out(`${textOf(diagnosis, truth, outcome)}\n`)
  return outcome === 'right'
    ? exitCodes.ok
    : outcome === 'insufficient' || outcome === 'unclear'
      ? exitCodes.inconclusive
      : exitCodes.failure
}

function textOf({ verdict, findings }: Diagnosis, truth: Truth, outcome: Outcome): string {
  const lines = findings.map(
    ({ disease, owner, certainty, summary, symptoms }) =>
      `${certainty} ${disease} at ${owner.node || owner.mesh}, ${owner.part}: ${summary}` +
      (symptoms.length > 0
        ? ` (explains ${symptoms.map((one) => `${one.disease} at ${one.owner.node}`).join(', ')})`
        : ''),
  )
  const truly = truth.disease === null ? 'nothing' : `${truth.disease} at ${truth.nodes.join(' or ') || 'the mesh'}`
  return [`verdict ${verdict}`, ...lines, `planted: ${truly}`, `outcome: ${outcome}`].join('\n')
}
