import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endToEnd } from '../end-to-end.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { plainEnvironment, sh } from '../shell.ts'
import { packKit, succeeds } from './app-project.ts'

/** The oldest supported Node, and the Node of a clone. */
const versions = ['22.15.0', '24.21.0']

const application = `
import { type MeshMessage, MeshError, tracemesh } from 'tracemesh'
import { libp2pSettings } from 'tracemesh/libp2p'
const init: Parameters<typeof tracemesh>[0] = { mesh: 'mesh-a', seeds: [] }
const service = tracemesh(init)
const sizeOf = ({ topic, data }: MeshMessage): number => topic.length + data.length
// @ts-expect-error an unknown role
const unknownRole = () => tracemesh({ role: 'king' })
if (typeof libp2pSettings !== 'function' || typeof service !== 'function' || || typeof unknownRole !== 'function') throw new MeshError('MESH_NOT_STARTED', { what: 'x' })
process.stdout.write('typed and run')
`

export const proof = endToEnd({
  name: 'package',
  about: 'npm pack into an empty project: npx tracemesh --help and a typed import, on Node 22.15 and 24',
  quick: false,
  seconds: 120,
  async run(context) {
    const directory = await mkdtemp(join(tmpdir(), 'tracemesh-package-'))
    try {
      const checks: Check[] = []
      await packKit(directory, context.signal)
      for (const version of versions) checks.push(...(await onNode(version, directory, context)))
      return { figures: { versions }, checks }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  },
})

async function onNode(version: string, directory: string, { progress, signal }: ProofContext): Promise<Check[]> {
  const runtime = join(directory, `node-${version}`)
  const project = join(directory, `project-${version}`)
  await mkdir(runtime)
  await mkdir(project)
  const plain = plainEnvironment()
  const platform = `node-${process.platform}-${process.arch}`
  progress(`Node ${version}`)
  await sh(`npm init -y && npm install ${platform}@${version}`, runtime, plain, signal)
  const env = plainEnvironment(join(runtime, 'node_modules', platform, 'bin'))
  await writeFile(join(project, 'app.mts'), application)
  const settings = { compilerOptions: { module: 'nodenext', target: 'es2024', strict: true, skipLibCheck: true } }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ ...settings, include: ['app.mts'] }))
  const install = 'npm init -y && npm install ../tracemesh-*.tgz && npm install typescript@5.9 @types/node@22'
  const installed = await sh(install, project, env, signal)
  const runs = await sh('node --version && npx tracemesh --help', project, env, signal)
  const typed = await sh('npx tsc && node app.mjs', project, env, signal)
  const on = `on Node ${version}: `
  return [
    succeeds(`${on}npm install`, installed),
    equals(`${on}the Node that ran`, true, runs.output.includes(`v${version}`)),
    succeeds(`${on}npx tracemesh --help`, runs),
    {
      what: `${on}a typed import`,
      want: 'typed and run',
      got: typed.output.trim().slice(-200),
      holds: typed.code === 0 && typed.output.includes('typed and run'),
    },
  ]
}
