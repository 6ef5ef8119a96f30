import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempDisposable, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { type NodeProcess, startCluster } from './cluster/cluster.ts'
import { commandsOfDocuments, root, runnable } from './document-commands.ts'
import { leakCheck } from './leak-check.ts'

leakCheck()

const exec = promisify(execFile)
const commands = commandsOfDocuments().map(({ command }) => command)

test('the commands of the documents that end by themselves: exit code 0', async () => {
  const lines = runnable(commands)
  assert.ok(lines.length >= 4, lines.join('\n'))
  await Promise.all(lines.map((line) => exec('sh', ['-c', line], { cwd: root, timeout: 60_000 })))
  await assert.rejects(exec('sh', ['-c', 'node src/bin.js nothing'], { cwd: root }), { code: 2 })
})

/** The first bytes of a gzip file, in hexadecimal. */
const gzip = '1f8b'

test('a node: serves each path of docs/operating.md, and its profiles to the commands there', async () => {
  await using cluster = await startCluster({ receiver: 'none' })
  const node = await cluster.node('profiled', { role: 'seed', args: ['--pprof', '127.0.0.1:0'] })
  const table = await readFile(join(root, 'docs/operating.md'), 'utf8')
  const paths = Array.from(table.matchAll(/^\| `(\/[\w/]+)` \|/gm), ([, path = '']) => path)
  assert.ok(paths.length >= 6, paths.join())
  for (const path of paths) await node.api(path)

  // A profile of a second, from this node.
  const here = commands.map((command) =>
    command
      .replaceAll('http://127.0.0.1:6060', pprofUrl(node))
      .replace(/(\/(?:profile|heap|allocs))(?:\?seconds=\d+)?/, '$1?seconds=1'),
  )
  const urls = here.flatMap((command) => /^go tool pprof .*'(http.+)'$/.exec(command)?.[1] ?? [])
  assert.ok(urls.length >= 3, urls.join())
  for (const url of urls) {
    const profile = await (await fetch(url)).arrayBuffer()
    assert.equal(Buffer.from(profile).toString('hex', 0, 2), gzip, url)
  }
  const listings = here.flatMap((command) => /^curl '(http.+)'$/.exec(command)?.[1] ?? [])
  assert.ok(listings.length >= 1, listings.join())
  for (const url of listings) assert.match(await (await fetch(url)).text(), /^pid \d+, up \d+ s\n/)
  const inContainer = here.flatMap((command) => /^docker exec CONTAINER (node -e [\s\S]+)$/.exec(command)?.[1] ?? [])
  assert.equal(inContainer.length, 1)
  await using directory = await mkdtempDisposable(join(tmpdir(), 'documents-'))
  await exec('sh', ['-c', inContainer.join()], { cwd: directory.path })
  assert.equal((await readFile(join(directory.path, 'heap.pb.gz'))).toString('hex', 0, 2), gzip)
})

function pprofUrl({ log }: NodeProcess): string {
  return String(log.find(({ msg }) => msg === 'listening')?.['pprof'])
}
