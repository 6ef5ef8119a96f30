import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endToEnd } from '../end-to-end.ts'
import type { Check, ProofContext } from '../proof.ts'
import { appProject, checkPair, installChecks, packKit, readmeApplication, succeeds } from './app-project.ts'

/** Both minor versions of the API, each with the newest SDK that accepts it. */
const telemetry = [
  { name: 'API 1.9', packages: { '@opentelemetry/api': '~1.9.0', '@opentelemetry/sdk-node': '<0.300' } },
  { name: 'API 1.10', packages: { '@opentelemetry/api': '~1.10.0', '@opentelemetry/sdk-node': 'latest' } },
]

export const proof = endToEnd({
  name: 'readme-app',
  about:
    'the application of the README in an empty project with npm’s newest packages, beside API 1.9 and 1.10: typed, two of them gossip both ways, traces joined in its exporter; the gossipsub for libp2p 2 is refused at start',
  quick: false,
  seconds: 150,
  async run(context) {
    const directory = await mkdtemp(join(tmpdir(), 'tracemesh-readme-'))
    try {
      const tarball = await packKit(directory, context.signal)
      const { packages } = await readmeApplication()
      const newest = Object.fromEntries(packages.filter((name) => name !== 'tracemesh').map((name) => [name, 'latest']))
      const checks: Check[] = []
      const figures: Record<string, unknown> = {}
      for (const { name, packages } of telemetry) {
        context.progress(name)
        const project = await appProject({
          directory: join(directory, name.replaceAll(' ', '-')),
          tarball,
          packages: { ...newest, ...packages },
          install: 'npm install',
          signal: context.signal,
        })
        const pair = await checkPair(name, project.entry)
        checks.push(...(await installChecks(name, project, true)))
        checks.push(succeeds(`${name}: type check`, await project.typeCheck()), ...pair.checks)
        figures[name] = pair.figures
      }
      context.progress('gossipsub for libp2p 2')
      checks.push(await refusal(directory, tarball, newest, context))
      return { figures, checks }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  },
})

/** The package of the old name must be refused: with it a node would start and reach no peer. */
async function refusal(
  directory: string,
  tarball: string,
  newest: Readonly<Record<string, string>>,
  { signal }: ProofContext,
): Promise<Check> {
  const project = await appProject({
    directory: join(directory, 'libp2p-2'),
    tarball,
    packages: {
      ...newest,
      '@chainsafe/libp2p-gossipsub': '^14',
      '@opentelemetry/api': 'latest',
      '@opentelemetry/sdk-node': 'latest',
    },
    install: 'npm install',
    changes: [["from '@libp2p/gossipsub'", "from '@chainsafe/libp2p-gossipsub'"]],
    signal,
  })
  const { code, output } = await project.run('node main.mjs')
  const refused = /MESH_PUBSUB_UNUSABLE/.test(output) && /npm install @libp2p\/gossipsub/.test(output)
  return {
    what: '@chainsafe/libp2p-gossipsub 14 is refused at start, with the cure',
    want: 'MESH_PUBSUB_UNUSABLE',
    got: refused ? 'MESH_PUBSUB_UNUSABLE' : `exit ${code}: ${output.slice(-500)}`,
    holds: refused && code !== 0,
  }
}
