import { nodeCommand, nodeEnvironment } from '../../processes/node-program.ts'
import { Subprocess } from '../../processes/subprocess.ts'
import { until } from '../../processes/waiting.ts'
import { networkImpossible, startNetwork } from '../../testing/netns/network.ts'
import { endToEnd } from '../end-to-end.ts'
import { atMost, type Check, equals, notShown } from '../proof.ts'
import { testProgram } from '../shell.ts'

/** A line of `limit-load.ts`. */
interface Line {
  readonly limit?: string
  readonly transport?: string
  readonly value?: number
  readonly most?: number
  readonly refusals?: number
  readonly refusal?: Readonly<Record<string, unknown>>
  /** Of the full heap: whether the node still dials, and accepts again afterwards. */
  readonly outbound?: boolean
  readonly accepted?: boolean
  /** Of the nodes behind one address: the limit in force, and how many joined. */
  readonly nat?: number
  readonly joined?: number
  readonly count?: number
  readonly setting?: string
}

const limitMs = 150_000
const address = '10.9.1.1'

export const proof = endToEnd({
  name: 'limit-scopes',
  about:
    'a load beyond each limit, inbound, outbound and by gossipsub: no number ever exceeds its limit, and the refusal names it and its setting',
  quick: true,
  seconds: 45,
  async run({ progress }) {
    const reason = networkImpossible()
    const { lines, code } = reason === undefined ? await runInNetwork() : await runLoads([], [])
    for (const line of lines) progress(JSON.stringify(line))
    const missing =
      reason === undefined
        ? []
        : [notShown('connections of one address that is not loopback, and their rate', 'limited', reason)]
    return {
      figures: { lines },
      checks: [equals('exit code of the loads', 0, code), ...lines.flatMap(checksOf), ...missing],
    }
  },
})

function checksOf(line: Line): Check[] {
  const { limit, transport, value = 0, most, refusals = 0, refusal } = line
  if (limit === undefined) return natChecks(line)
  const what = `${limit} over ${transport}`
  return [
    ...(most === undefined ? [] : [atMost(`${what}: the most at any time`, value, most)]),
    equals(`${what}: the load exceeds it`, true, refusals > 0),
    equals(`${what}: the span has its value`, value, Number(refusal?.['mesh.limit.value'])),
    ...(limit === 'linksPerPeer'
      ? []
      : [equals(`${what}: the span names its setting`, 'string', typeof refusal?.['mesh.limit.setting'])]),
    ...(line.outbound === undefined ? [] : [equals(`${what}: the node still dials`, true, line.outbound)]),
    ...(line.accepted === undefined ? [] : [equals(`${what}: afterwards it accepts again`, true, line.accepted)]),
  ]
}

function natChecks({ nat = 0, joined = 0, count = 0, setting }: Line): Check[] {
  const what = `${count} nodes behind one address, at most ${nat} of them`
  if (nat >= count) return [equals(`${what}: all join`, count, joined)]
  return [
    equals(`${what}: no more join`, nat, joined),
    equals(`${what}: the refusal names the setting`, 'MESH_CONNECTIONS_PER_ADDRESS', setting ?? 'none'),
  ]
}

async function runInNetwork() {
  await using network = await startNetwork()
  const host = await network.host('limits')
  await host.run(['ip', '-batch', '-'], `link set lo up\naddress add ${address}/32 dev lo\n`)
  return await runLoads(host.through, [address])
}

/** The heap is small, so that a load can fill it. */
async function runLoads(through: readonly string[], args: readonly string[]) {
  const lines: Line[] = []
  let code: number | null | undefined
  let output = ''
  const child = new Subprocess({
    name: 'limit-load',
    command: [
      ...through,
      ...nodeCommand(testProgram('cluster/limit-load.ts'), args, ['--max-old-space-size=160', '--expose-gc']),
    ],
    env: nodeEnvironment(),
    onLine: (line) => void lines.push(JSON.parse(line)),
    onExit: (exit) => {
      code = exit.code
      output = exit.output
    },
  })
  try {
    await until(() => code !== undefined, limitMs, 'the loads end')
  } finally {
    if (code === undefined) await child.stop(0, 'SIGKILL')
  }
  if (code !== 0) throw new Error(`the loads failed after ${JSON.stringify(lines.at(-1))}: ${output}`)
  return { lines, code: code ?? -1 }
}
