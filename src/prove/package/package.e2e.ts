import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { compilerFlags } from '../../testing/built-package.ts'
import { endToEnd } from '../end-to-end.ts'
import { type Check, equals, type ProofContext } from '../proof.ts'
import { plainEnvironment, root, sh } from '../shell.ts'
import { packKit, readmeApplication, succeeds } from './app-project.ts'

/** The oldest supported Node, and the Node of a clone; with the types of each. */
const versions = { '22.15.0': '22', '24.21.0': '24' }

/** Two members of a mesh in one process: they link over TCP, and stop. */
const application = `
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { isMeshError, type MemberEventDetail, type Tracemesh, tracemesh } from 'tracemesh'
import { meshGossip } from 'tracemesh/libp2p'

const start = (seeds: string[]) =>
  createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      pubsub: meshGossip(),
      tracemesh: tracemesh({ mesh: 'mesh-a', seeds, otlp: 'off' }),
    },
  })
// @ts-expect-error an unknown role
const unknownRole = () => tracemesh({ role: 'king' })
try {
  unknownRole()
} catch (error) {
  process.stdout.write(isMeshError(error, 'MESH_CONFIG_INVALID') ? 'refused, ' : String(error))
}
const first = await start([])
const mesh: Tracemesh = first.services.tracemesh
const joined = new Promise<MemberEventDetail>((resolve) =>
  mesh.addEventListener('member:joined', ({ detail }) => resolve(detail), { once: true }),
)
const second = await start(first.getMultiaddrs().map(String))
const { peer } = await joined
process.stdout.write(peer === second.services.tracemesh.peer ? 'joined, ' : peer)
await second.stop()
await first.stop()
process.stdout.write(first.status)
`

export const proof = endToEnd({
  name: 'package',
  about:
    'npm pack into an empty project, on Node 22.15 and 24: npx tracemesh --help, both entries and their declarations compile for nodenext and bundler, two members that link and stop',
  quick: false,
  seconds: 120,
  async run(context) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), 'tracemesh-package-'))
    const manifest = () => readFile(join(root, 'package.json'), 'utf8')
    const before = await manifest()
    const tarball = await packKit(temporary.path, context.signal)
    const checks = [equals('package.json of the clone is the same after npm pack', true, before === (await manifest()))]
    for (const [version, types] of Object.entries(versions))
      checks.push(...(await onNode(version, types, tarball, context)))
    return { figures: { versions: Object.keys(versions) }, checks }
  },
})

async function onNode(
  version: string,
  types: string,
  tarball: string,
  { progress, signal }: ProofContext,
): Promise<Check[]> {
  const runtime = join(dirname(tarball), `node-${version}`)
  const project = join(dirname(tarball), `project-${version}`)
  const platform = `node-${process.platform}-${process.arch}`
  progress(`Node ${version}`)
  await mkdir(runtime)
  await sh(`npm init -y && npm install ${platform}@${version}`, runtime, plainEnvironment(), signal)
  const env = plainEnvironment(join(runtime, 'node_modules', platform, 'bin'))
  const run = (command: string) => sh(command, project, env, signal)

  await mkdir(project)
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  await writeFile(join(project, 'app.ts'), application)
  const packages = (await readmeApplication()).packages.filter((name) => name !== 'tracemesh')
  const installed = await run(`npm install ${tarball} ${packages.join(' ')} @types/node@${types}`)
  const help = await run('node --version && npx tracemesh --help')
  const compiled: Check[] = []
  for (const [name, flags] of Object.entries(compilerFlags)) {
    const result = await run(`${process.execPath} ${join(root, 'node_modules/typescript/bin/tsc')} ${flags} app.ts`)
    compiled.push(succeeds(`on Node ${version}: types, ${name}, @types/node ${types}`, result))
  }
  const ran = await run('node app.js')
  return [
    succeeds(`on Node ${version}: npm install`, installed),
    equals(`on Node ${version}: the Node that ran`, true, help.output.includes(`v${version}`)),
    succeeds(`on Node ${version}: npx tracemesh --help`, help),
    ...compiled,
    equals(
      `on Node ${version}: two members`,
      'exit 0: refused, joined, stopped',
      `exit ${ran.code}: ${ran.output.slice(-500)}`,
    ),
  ]
}
