import type { LabRecord, NodeRecord } from '../../lab/record.ts'
import { endToEnd } from '../end-to-end.ts'
import { freshClone } from '../package/fresh-clone.e2e.ts'
import { atLeast, type Check, each, equals } from '../proof.ts'
import type { CommandResult } from '../shell.ts'

/** From `npm ci` to the prompt. */
const limitSeconds = 120
const command = 'npm ci && npm start -- --for 90s --json'
/** Members of one mesh, bridges included. */
const members = 10
/** Both meshes are complete with 45 pairs each; the pair of bridges is in both. */
const pairs = members * (members - 1) - 1

export const proof = endToEnd({
  name: 'lab',
  about: `a fresh clone on a machine with Node 20: ${command} shows 18 nodes that all know each other, and loses no span`,
  quick: false,
  seconds: 125,
  async run(context) {
    await using clone = await freshClone(context)
    const { result, figures, checks } = await clone.measure(command, limitSeconds)
    const record = recordIn(result)
    const labChecks = record === undefined ? [equals('closing record', 'one', 'none')] : recordChecks(record)
    return { figures: { ...figures, record }, checks: [...checks, ...labChecks] }
  },
})

function recordIn({ output }: CommandResult): LabRecord | undefined {
  const line = output.split('\n').findLast((one) => one.startsWith('{"seed":'))
  return line === undefined ? undefined : (JSON.parse(line) as LabRecord)
}

/** Checks the closing record of a lab of 90 s. */
function recordChecks(record: LabRecord): Check[] {
  const { perNode, spans, links, lost, retries, problems } = record
  const nodes: readonly NodeRecord[] = perNode
  const expectedMembers = ({ mesh }: NodeRecord) =>
    mesh.split(' ').length * (members - 1) - (mesh.includes(' ') ? 1 : 0)
  const hasSwept = ({ sweeps, upSeconds }: NodeRecord) => sweeps > 0 && sweeps >= Math.floor((17 * upSeconds) / 90)
  return [
    equals('nodes', 18, record.nodes),
    each('nodes that run to the end', 'all', nodes, ({ state }) => state === 'running'),
    each('members of a node', 'all others of its meshes', nodes, (node) => node.members === expectedMembers(node)),
    equals('pairs linked', pairs, links.pairs),
    equals('pairs with more than one link', '', links.doubled.join(', ')),
    atLeast('retries of the late seed', 1, retries),
    equals('retries among the spans', retries, spans['mesh.seed.retry'] ?? 0),
    each('sweeps of a node', 'at least 17 in 90 s', nodes, hasSwept),
    equals('spans lost', 0, lost ?? -1),
    each('memory and CPU of a node', 'known', nodes, ({ rssMb, cpuMsPerS }) => rssMb !== null && cpuMsPerS !== null),
    equals('problems', '', problems.join('; ')),
  ]
}
