import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { buildTestPackage } from '../testing/built-package.ts'
import { startCluster, until } from '../testing/cluster/cluster.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()

test('the published package: nodes join over QUIC and TCP, with traces and HTTP API', async () => {
  await using built = await buildTestPackage()
  await loadsNoTransport(built.directory)
  await using cluster = await startCluster()
  const program = { entry: built.bin, args: ['node'] }
  const tcp = '/ip4/127.0.0.1/tcp/0'
  const seed = await cluster.node('seed', { role: 'seed', listen: [cluster.address('seed'), tcp], ...program })
  const overTcp = seed.addresses.find((address) => address.includes('/tcp/')) ?? ''
  await cluster.node('quic', { seeds: [cluster.address('seed')], ...program })
  await cluster.node('tcp', { seeds: [overTcp], ...program })
  // Nothing listens at the port of the discard service.
  const query = { MESH_QUERY: 'http://127.0.0.1:9' }
  const watching = { role: 'observer', seeds: [cluster.address('seed')], env: query } as const
  const watcher = await cluster.node('watcher', { ...watching, ...program })
  const { spans } = cluster.receiver
  const joined = () => spans.filter(({ name }) => name === 'mesh.member.joined').length
  await until(() => joined() === 12, 30_000, 'each of four nodes emits mesh.member.joined for the three others')
  const opened = spans.filter(({ name }) => name === 'mesh.connection.opened')
  const transports = opened.map(({ attributes }) => attributes['mesh.connection.transport'])
  assert.deepEqual(new Set(transports), new Set(['quic', 'tcp']))
  assert.match(await (await fetch(`${watcher.adminUrl}/app.js`)).text(), /Topology/)
  assert.deepEqual((await seed.api<{ status: string }>('/healthz')).status, 'alive')
  // The doctor has a program of its own, which runs in a thread; it finds no trace store.
  const doctor = () => watcher.api<{ state: string; trouble?: { text: string } }>('/api/doctor?from=1&to=60000')
  let answer = await doctor()
  while (answer.state === 'running') answer = await doctor()
  assert.notEqual(answer.trouble?.text, 'The diagnosis failed.')
})

/** Files that the kit must not load: transports, gossipsub, pino, the SDK of OpenTelemetry. */
const heavy =
  /libp2p-quic|@libp2p\/(?:tcp|yamux|noise|identify)|gossipsub\/dist\/src\/index\.js|\/pino\/|kit\/telemetry-/

/** Prints the URL of each module that importing its argument loads. */
const lister = `
import { registerHooks } from 'node:module'
registerHooks({ load: (url, context, next) => (process.stdout.write(url + '\\n'), next(url, context)) })
await import(process.argv[1])
`

/** Node.js prints the source line of an uncaught error. */
const longestLine = 4_000

async function loadsNoTransport(directory: string): Promise<void> {
  const kit = await readFile(join(directory, 'dist/kit/index.js'), 'utf8')
  assert.deepEqual(
    kit.split('\n').filter((line) => line.length > longestLine),
    [],
  )
  const loadedWith = async (entry: string) => {
    const url = pathToFileURL(join(directory, 'dist/kit', entry)).href
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', lister, url])
    return stdout.split('\n').filter((file) => heavy.test(file))
  }
  assert.deepEqual(await loadedWith('index.js'), [])
  const loaded = (await loadedWith('libp2p.js')).join('\n')
  for (const name of ['libp2p-quic', '@libp2p/tcp', 'gossipsub']) assert.match(loaded, new RegExp(name))
}
