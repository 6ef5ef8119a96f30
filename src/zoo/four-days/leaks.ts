import type { Diagnosis, RankedFinding } from '../../doctor/diagnose.ts'
import type { DiseaseName } from '../../doctor/diseases.ts'

/** A leak of the four-day soak, in the nodes of a lab. */
export interface PlantedLeak {
  /** What the soak had found after four days. */
  readonly story: string
  readonly plant: string
  /** Nodes that have it, each of which is right as its owner. */
  readonly nodes: readonly string[]
  readonly disease: DiseaseName
  /** Matches the part of the owner. */
  readonly part: RegExp
}

/** Each is in a node of its own, so that a right answer also names the right owner; a connection has two ends. */
export const plantedLeaks: readonly PlantedLeak[] = [
  {
    story: 'a reconnect keeps the old connection',
    plant: 'keep-connections',
    nodes: ['a-broker-1', 'a-gateway-1'],
    disease: 'link-left-open',
    part: /connections/,
  },
  {
    story: 'digests and topics only grow',
    plant: 'topics',
    nodes: ['a-compute-1'],
    disease: 'topics-left',
    part: /topics/,
  },
  {
    story: 'a map from peer to mesh outlives its peers',
    plant: 'inserted-only',
    nodes: ['a-registry-1'],
    disease: 'registry-unswept',
    part: /requests/,
  },
  {
    story: 'a set of joined peers, insert-only',
    plant: 'joined-peers',
    nodes: ['a-compute-2'],
    disease: 'application-collection',
    part: /joined/,
  },
  {
    story: 'seeds are dialled once',
    plant: 'dialled-once',
    nodes: ['a-compute-3'],
    disease: 'seed-dialled-once',
    part: /^seed /,
  },
]

/** The leak that the plant of a node is, if it has one. */
export function leakAt(name: string): PlantedLeak | undefined {
  return plantedLeaks.find(({ nodes }) => nodes.includes(name))
}

/** The finding that names a leak with its owner. */
export function findingOf({ disease, nodes, part }: PlantedLeak, findings: Diagnosis['findings']) {
  return findings.find(
    (finding) =>
      finding.disease === disease &&
      finding.certainty !== 'insufficient' &&
      nodes.includes(finding.owner.node) &&
      part.test(finding.owner.part),
  )
}

/** Findings that are no planted leak: what the machine is short of, or a mistake. */
export function otherFindings(findings: Diagnosis['findings']): readonly RankedFinding[] {
  return findings.filter(
    (finding) => finding.certainty !== 'insufficient' && !plantedLeaks.some((leak) => findingOf(leak, [finding])),
  )
}
