import assert from 'node:assert/strict'
import { exec as execCallback } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { dieWithParent, nodeCommand } from '../processes/node-program.ts'
import { Subprocess } from '../processes/subprocess.ts'
import { until } from '../processes/waiting.ts'
import { buildTestPackage, compilerFlags } from '../testing/built-package.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { startReceiver } from '../testing/otlp/otlp-receiver.ts'

leakCheck()

const exec = promisify(execCallback)
const root = resolve(import.meta.dirname, '../..')
/** Guards against a hang: the examples promise lines and an orderly end, not a speed. */
const limits = { lineMs: 120_000, stopMs: 60_000 }

interface Example {
  readonly lines: readonly string[]
  /** Resolves with the first line that matches. */
  line(pattern: RegExp): Promise<string>
  /** Ends it as Ctrl-C would. */
  interrupt(): Promise<void>
}

test('the examples and the code of the documents compile, and the examples run as an application would that installs the package', async () => {
  await using built = await buildTestPackage()
  const folder = join(built.directory, 'examples')
  await mkdir(folder)
  for (const file of await readdir(join(root, 'examples')))
    await copyFile(join(root, 'examples', file), join(folder, file))
  await writeFile(join(folder, 'documents.ts'), await codeOfDocuments())
  for (const flags of Object.values(compilerFlags)) {
    const command = `${join(root, 'node_modules/.bin/tsc')} ${flags} --erasableSyntaxOnly --skipLibCheck --noEmit *.ts`
    await exec(command, { cwd: folder }).catch((error) => assert.fail(`${error.message}${error.stdout}`))
  }
  const receiver = await startReceiver()
  const running: Example[] = []
  const start = (file: string, ...args: string[]) => {
    const example = startExample(join(folder, file), args, receiver.endpoint)
    running.push(example)
    return example
  }
  try {
    const member = start('minimal-member.ts')
    const address = addressIn(await member.line(/^listening on \/ip4\/127\.0\.0\.1/))
    const sums = [start('request-respond.ts', address), start('request-respond.ts', address)]
    const shops = [start('own-node-sdk.ts', address), start('own-node-sdk.ts', address)]
    const bridge = start('bridge.ts', address)
    const guest = start('guest.ts', address)

    await Promise.all(sums.map((one) => one.line(/says 1 \+ 2 \+ 3 = 6$/)))
    await sums[0]?.line(/: MESH_REQUEST_FAILED$/)
    await bridge.line(/^listening on /)
    await member.line(/^members: (?:.+, ){4}.+$/)
    await member.line(/says the bridge stands$/)
    await member.line(/says a guest greets$/)
    await guest.line(/^a member says the bridge stands, trace [0-9a-f]{32}$|^a member says the bridge stands$/)
    await Promise.any(shops.map((one) => one.line(/^packing an order of .*, trace [0-9a-f]{32}$/)))
    const tracesOf = (start: string) =>
      shops.flatMap(({ lines }) => lines.filter((line) => line.startsWith(start)).map((line) => line.slice(-32)))
    const names = (trace: string) => receiver.spans.flatMap(({ traceId, name }) => (traceId === trace ? [name] : []))
    const joined = ['place order', 'mesh.message.published', 'pack order']
    // The mesh emits one span of a published message per second at most: an order may be without.
    const isJoined = (trace: string) => joined.every((name) => names(trace).includes(name))
    const isComplete = () => tracesOf('packing').some((trace) => tracesOf('ordered').includes(trace) && isJoined(trace))
    await until(isComplete, limits.lineMs, `one trace of ${joined.join(', ')}`)
  } finally {
    await Promise.all(running.map((example) => example.interrupt())).finally(() => receiver.close())
  }
})

/** The code of README.md, and that of docs/embedding.md, which goes on from it. */
async function codeOfDocuments(): Promise<string> {
  const texts = await Promise.all(['README.md', 'docs/embedding.md'].map((file) => readFile(join(root, file), 'utf8')))
  const blocks = texts.flatMap((text) => text.match(/(?<=^```ts\n)[\s\S]*?(?=^```$)/gm) ?? [])
  assert.equal(blocks.length, 4)
  return blocks.join('\n')
}

function addressIn(line: string): string {
  return line.replace('listening on ', '')
}

function startExample(file: string, args: readonly string[], endpoint: string): Example {
  const lines: string[] = []
  const child = new Subprocess({
    name: file,
    command: nodeCommand(file, args, ['--experimental-strip-types', dieWithParent]),
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, TOKIO_WORKER_THREADS: '1' },
    ipc: true,
    onLine: (line) => lines.push(line),
  })
  const line = async (pattern: RegExp): Promise<string> => {
    const matching = () => lines.find((one) => pattern.test(one))
    const printed = until(() => matching() !== undefined, limits.lineMs, `${file} prints ${pattern}`, child.ended)
    await printed.catch((cause) => {
      throw new Error(`${lines.join('\n')}\n${child.output}`, { cause })
    })
    return matching() ?? ''
  }
  const interrupt = async () => {
    child.ended.throwIfAborted()
    const { code, output } = await child.stop(limits.stopMs, 'SIGINT')
    assert.equal(code, 0, `${file}: ${output}`)
  }
  return { lines, line, interrupt }
}
