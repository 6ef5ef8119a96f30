import { diseaseOf, type Symptom } from './diseases.ts'
import type { Finding } from './finding.ts'
import { mostBytesOf, mostUncounted } from './judgement/thresholds.ts'

/** A symptom may be seen this much earlier than its cause: censuses are 30 s apart, floors up to minutes. */
const slackMs = 180_000

/** Whether a finding is a symptom of another one: of its kind, at its place, not before it, and not too large for it. */
export function explains(cause: Finding, symptom: Finding): boolean {
  const match = diseaseOf(cause.disease).causes?.find(({ disease }) => disease === symptom.disease)
  if (match === undefined || cause.certainty === 'insufficient' || cause.owner.mesh !== symptom.owner.mesh) return false
  if (!isPlaced(match, cause, symptom) || !isLargeEnough(cause, symptom)) return false
  return symptom.sinceMs === undefined || cause.sinceMs === undefined || symptom.sinceMs >= cause.sinceMs - slackMs
}

function isPlaced({ at, part, isSameSeed = false }: Symptom, cause: Finding, symptom: Finding): boolean {
  if (at === 'owner' && symptom.owner.node !== cause.owner.node) return false
  if (at === 'node' && !namesOf(symptom).some((node) => namesOf(cause).includes(node))) return false
  if (isSameSeed && cause.owner.part !== severalSeeds && cause.owner.part !== symptom.owner.part) return false
  return part === undefined || symptom.owner.part.startsWith(part)
}

/** The part of a fault at several seeds. */
export const severalSeeds = 'seeds'

/** The nodes of a finding: a pair, for example, has two, and which of them is the owner may be open. */
function namesOf({ owner, alsoAt = [] }: Finding): readonly string[] {
  return [owner.node, ...alsoAt].filter((node) => node !== '')
}

/** Memory that rises by more than what the cause counts can hold has another cause besides. */
function isLargeEnough({ disease, growth: counted }: Finding, { growth: memory }: Finding): boolean {
  if (memory === undefined || memory.unit !== 'By') return true
  const bytes = memory.to - memory.from
  if (counted !== undefined)
    return (
      counted.unit === 'By' ||
      bytes <= mostBytesOf(counted.to - counted.from, disease === 'growth-unknown' ? 'unknown' : counted.unit)
    )
  return bytes <= mostUncounted.bytes || (memory.perEvent ?? Number.POSITIVE_INFINITY) <= mostUncounted.bytesPerEvent
}
