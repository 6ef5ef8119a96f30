import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Subprocess } from '../processes/subprocess.ts'
import { until } from '../processes/waiting.ts'
import { createLogger } from '../telemetry/logger.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { programTest } from '../testing/stack/program-test.ts'
import { stackBinary } from './binaries.ts'

leakCheck()

const shipped = fileURLToPath(new URL('../../otel/logs.yaml', import.meta.url))
const ids = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' }

/** A line as a node writes it. */
function nodeLine(msg: string, fields: object): string {
  const lines: string[] = []
  const destination = { write: (text: string) => void lines.push(text) }
  const logger = createLogger({ level: 'info', base: { mesh: 'mesh-a', node: 'a-seed-1' }, destination })
  logger.warn(fields, msg)
  return lines.join('').trimEnd()
}

programTest(
  'the Collector with logs.yaml: lines of nodes, bare, of Docker and of Kubernetes, are kept with their trace, others are not',
  ['otelcol-contrib'],
  async ({ folder }) => {
    const files = {
      'bare.log': [nodeLine('bare', { ...ids, 'mesh.peer.name': 'b' }), nodeLine('no trace', {}), 'Error: a crash'],
      'docker.log': [
        JSON.stringify({
          log: `${nodeLine('docker', ids)}\n`,
          stream: 'stdout',
          time: '2026-11-30T10:00:00.123456789Z',
        }),
        JSON.stringify({ log: '{"level":"info","password":"of another container"}\n', stream: 'stdout', time: 'T' }),
      ],
      'cri.log': [
        `2026-11-30T10:00:00.123456789Z stdout F ${nodeLine('kubernetes', ids)}`,
        '2026-11-30T10:00:00.123456789Z stdout P {"level":"info","time":"","mesh":"part of a line',
      ],
    }
    for (const [name, lines] of Object.entries(files)) await writeFile(join(folder, name), `${lines.join('\n')}\n`)
    const found = await collected(folder)
    assert.deepEqual(found.map(({ body }) => body).toSorted(), ['bare', 'docker', 'kubernetes', 'no trace'])
    for (const { body, traceId, spanId, severity, resource, timeMs } of found) {
      const expected = body === 'no trace' ? [undefined, undefined] : [ids.trace_id, ids.span_id]
      assert.deepEqual([traceId, spanId], expected, body)
      assert.equal(severity, 13, 'WARN')
      assert.deepEqual(resource, { 'mesh.id': 'mesh-a', 'mesh.node.name': 'a-seed-1', 'service.name': 'mesh-a' })
      assert.ok(Math.abs(Date.now() - timeMs) < 60_000, 'the time of the line')
    }
    const bare = found.find(({ body }) => body === 'bare')
    assert.deepEqual(bare?.attributes, { 'log.file.name': 'bare.log', 'mesh.peer.name': 'b' })
  },
)

/** What a Collector with the shipped configuration keeps of a directory of log files. */
async function collected(directory: string) {
  const binary = await stackBinary('otelcol-contrib')
  assert.ok('path' in binary)
  const kept = join(directory, 'kept')
  const collector = new Subprocess({
    name: 'the Collector',
    command: [binary.path, '--config', shipped],
    env: { ...process.env, NODE_LOGS: directory, LOGS_DIR: kept },
  })
  const records = async () => {
    const text = await readFile(join(kept, 'logs.jsonl'), 'utf8').catch(() => '')
    return text.split('\n').filter(Boolean).flatMap(recordsOf)
  }
  try {
    await collector.ready(
      until(async () => (await records()).length >= 4, 30_000, 'the lines are kept'),
      30_000,
    )
    return await records()
  } finally {
    await collector.stop(5_000)
  }
}

interface Value {
  readonly stringValue?: string
}
type Pairs = readonly { readonly key: string; readonly value: Value }[]
interface Request {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: Pairs }
    readonly scopeLogs: readonly {
      readonly logRecords: readonly {
        readonly timeUnixNano: string
        readonly severityNumber: number
        readonly body: Value
        readonly attributes: Pairs
        readonly traceId?: string
        readonly spanId?: string
      }[]
    }[]
  }[]
}

const plain = (pairs: Pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, value.stringValue]))

function recordsOf(line: string) {
  const { resourceLogs } = JSON.parse(line) as Request
  return resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map(({ timeUnixNano, severityNumber, body, attributes, traceId, spanId }) => ({
        body: body.stringValue ?? '',
        attributes: plain(attributes),
        resource: plain(resource.attributes),
        severity: severityNumber,
        timeMs: Number(timeUnixNano) / 1e6,
        traceId,
        spanId,
      })),
    ),
  )
}
