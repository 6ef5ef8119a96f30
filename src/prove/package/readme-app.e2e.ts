import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endToEnd } from '../end-to-end.ts'
import type { Check } from '../proof.ts'
import { applicationChecks, checkSeed, packedKit } from './app-project.ts'

/** Both minor versions of the API, each with the newest SDK that accepts it. */
const telemetry = [
  { name: 'API 1.9', packages: { '@opentelemetry/api': '~1.9.0', '@opentelemetry/sdk-node': '<0.300' } },
  { name: 'API 1.10', packages: { '@opentelemetry/api': '~1.10.0', '@opentelemetry/sdk-node': 'latest' } },
]

export const proof = endToEnd({
  name: 'readme-app',
  about:
    'the application of the README in an empty project with npm’s newest packages, beside API 1.9 and 1.10: typed, two of them gossip both ways, traces joined in its exporter; it joins at the seed of the README; the gossipsub for libp2p 2 is refused at start',
  quick: false,
  seconds: 150,
  async run(context) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-readme-'))
    const kit = await packedKit(temporary.path, context)
    const checks: Check[] = []
    const figures: Record<string, unknown> = {}
    for (const { name, packages } of telemetry) {
      const project = await kit.project(name, { ...kit.newest, ...packages }, 'npm install')
      const result = await applicationChecks(name, project)
      checks.push(...result.checks, await checkSeed(name, project))
      figures[name] = result.figures
    }
    checks.push(await refusal(kit))
    return { figures, checks }
  },
})

/** The package of the old name must be refused: with it a node would start and reach no peer. */
async function refusal({ newest, project: create }: Awaited<ReturnType<typeof packedKit>>): Promise<Check> {
  const packages = {
    ...newest,
    '@chainsafe/libp2p-gossipsub': '^14',
    '@opentelemetry/api': 'latest',
    '@opentelemetry/sdk-node': 'latest',
  }
  const changes = [["from '@libp2p/gossipsub'", "from '@chainsafe/libp2p-gossipsub'"]] as const
  const project = await create('gossipsub for libp2p 2', packages, 'npm install', changes)
  const { code, output } = await project.run('node main.mjs')
  const refused = /MESH_PUBSUB_UNUSABLE/.test(output) && /npm install @libp2p\/gossipsub/.test(output)
  return {
    what: '@chainsafe/libp2p-gossipsub 14 is refused at start, with the cure',
    want: 'MESH_PUBSUB_UNUSABLE',
    got: refused ? 'MESH_PUBSUB_UNUSABLE' : `exit ${code}: ${output.slice(-500)}`,
    holds: refused && code !== 0,
  }
}
