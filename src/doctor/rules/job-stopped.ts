import type { SpanName } from '../../catalogue/spans.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { type Instance, witnessOf } from '../evidence/instance.ts'
import type { Finding } from '../finding.ts'
import { everyCensus, partOf, pointsOf } from '../judgement/growth.ts'
import { settingsOf } from '../judgement/settings.ts'
import type { Rule } from '../rule.ts'

/** Two censuses without a sweep, and periods without one. */
const [sweeplessMs, sweeplessPeriods] = [55_000, 3]
/** Periods without a span, after at least as many with one. */
const missedPeriods = 4
/** Jobs with a span at every run, by their interval in milliseconds. */
function jobsOf(instance: Instance): Readonly<Partial<Record<SpanName, number>>> {
  return {
    'mesh.window': 60_000,
    'mesh.audit': 30_000,
    'mesh.staleness.pruned': settingsOf(instance).sweepMs,
    'mesh.peerstore.swept': 120_000,
  }
}
const leastGapMs = 120_000

/** A job that no longer runs while its node does: the counter of sweeps stands still, or its periodic span is missing. */
export const jobStopped: Rule = {
  name: 'job-stopped',
  find: (evidence) =>
    evidence.instances.flatMap((instance) => sweepFinding(instance) ?? missingFinding(evidence, instance) ?? []),
}

/** The censuses go on, and their count of sweeps does not. */
function sweepFinding(instance: Instance): Finding | undefined {
  const sweeps = pointsOf(instance, 'mesh.audit.sweeps')
  const last = sweeps.at(-1)
  if (last === undefined) return undefined
  const still = sweeps.slice(sweeps.findLastIndex(({ value }) => value !== last.value) + 1)
  const [first] = still
  const { sweepMs, isSweepKnown } = settingsOf(instance)
  const leastMs = Math.max(sweeplessMs, sweeplessPeriods * sweepMs)
  if (first === undefined || last.atMs - first.atMs < leastMs) return undefined
  return {
    disease: 'job-stopped',
    owner: partOf(instance, 'sweep of the members (mesh.staleness.pruned)'),
    certainty: isSweepKnown ? 'certain' : 'likely',
    sinceMs: first.atMs,
    summary: `${last.value} sweeps at ${still.length} censuses over ${Math.round((last.atMs - first.atMs) / 1_000)} s`,
    proof: instance.censuses,
  }
}

/** Sampling drops routine spans, and a lost span is missing, too: neither may be the case. */
function missingFinding({ complete }: Evidence, instance: Instance): Finding | undefined {
  const isSampled = (pointsOf(instance, 'mesh.telemetry.sampled_out').at(-1)?.value ?? 0) > 0
  if (!complete || isSampled || instance.seqs.missing > 0) return undefined
  const untilMs = Math.min(instance.lastMs, instance.stopMs)
  const runs = Object.entries(jobsOf(instance)).map(([name, periodMs]) => ({
    name,
    periodMs,
    times: timesOf(instance, name),
  }))
  for (const { name, periodMs, times } of runs) {
    const lastMs = times.at(-1)
    if (lastMs === undefined || times.length < missedPeriods) continue
    const gapMs = untilMs - lastMs
    // A process that was suspended ran none of its jobs.
    const others = runs.filter((run) => run.name !== name).flatMap((run) => run.times)
    const isAwake = others.filter((atMs) => atMs > lastMs + periodMs).length >= missedPeriods
    if (!isAwake || gapMs < Math.max(leastGapMs, missedPeriods * periodMs)) continue
    return {
      disease: 'job-stopped',
      owner: partOf(instance, name),
      certainty: 'certain',
      sinceMs: lastMs,
      summary: `no ${name} for ${Math.round(gapMs / 1_000)} s, where one comes every ${periodMs / 1_000} s`,
      proof: [
        ...instance
          .spans(name as SpanName)
          .slice(-1)
          .map(witnessOf),
        ...instance.censuses,
      ],
    }
  }
  return undefined
}

/** Starts of the runs of a job while the process ran. */
function timesOf(instance: Instance, name: string): readonly number[] {
  const times =
    name === 'mesh.audit'
      ? pointsOf(instance, everyCensus).map(({ atMs }) => atMs)
      : instance.spans(name as SpanName).map(({ startMs }) => startMs)
  return times.filter((atMs) => atMs < instance.stopMs)
}
