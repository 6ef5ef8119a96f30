import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LabRecord, NodeRecord } from '../../lab/record.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, atMost, type Check, each, equals } from '../proof.ts'
import { type CommandResult, plainEnvironment, processesIn, root, sh } from '../shell.ts'

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
  async run({ progress, signal }) {
    const directory = await mkdtemp(join(tmpdir(), 'tracemesh-lab-proof-'))
    const env = plainEnvironment()
    try {
      const version = (await sh('node --version', directory, env, signal)).output.trim()
      await sh(`git clone --quiet ${JSON.stringify(root)} clone`, directory, env, signal)
      progress(command)
      const result = await sh(command, join(directory, 'clone'), env, signal)
      const left = processesIn(directory)
      const record = recordIn(result)
      const checks: Check[] = [
        equals(`${command} exits with`, 0, result.code ?? -1),
        atMost('it takes', limitSeconds, result.seconds, 's'),
        equals('processes left', 0, left.length),
        { what: 'the machine’s Node', want: 'v20', got: version, holds: version.startsWith('v20') || 'not shown' },
        ...(record === undefined ? [equals('closing record', 'one', 'none')] : recordChecks(record)),
      ]
      const tail = result.code === 0 ? '' : result.output.slice(-4_000)
      return { figures: { seconds: Math.round(result.seconds), version, record, tail }, checks }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
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
  return [
    equals('nodes', 18, record.nodes),
    each('nodes that run to the end', 'all', nodes, ({ state }) => state === 'running'),
    each('members of a node', 'all others of its meshes', nodes, (node) => node.members === expectedMembers(node)),
    equals('pairs linked', pairs, links.pairs),
    equals('pairs with more than one link', '', links.doubled.join(', ')),
    atLeast('retries of the late seed', 1, retries),
    equals('retries among the spans', retries, spans['mesh.seed.retry'] ?? 0),
    each(
      'sweeps of a node',
      'at least 17 in 90 s',
      nodes,
      ({ sweeps, upSeconds }) => sweeps > 0 && sweeps >= Math.floor((17 * upSeconds) / 90),
    ),
    equals('spans lost', 0, lost ?? -1),
    each('memory and CPU of a node', 'known', nodes, ({ rssMb, cpuMsPerS }) => rssMb !== null && cpuMsPerS !== null),
    equals('problems', '', problems.join('; ')),
  ]
}
