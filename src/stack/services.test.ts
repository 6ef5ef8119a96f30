import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { callsLimit } from '../catalogue/span-counts.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { allocatePorts, containerSettings, planServices, shippedConfigs, withAddresses } from './services.ts'

leakCheck()

const addresses = {
  'collector:8888': '127.0.0.1:1',
  'collector:8889': '127.0.0.1:2',
  'jaeger:8888': '127.0.0.1:3',
  'alertmanager:9093': '127.0.0.1:4',
  'localhost:9090': '127.0.0.1:5',
}

test('all targets in the container network are replaced, everything else stays', () => {
  const text = `# collector:1 is a comment
rule_files: [/etc/prometheus/rules/*.yml]
scrape_configs:
  - job_name: collector
    static_configs: [{ targets: ["collector:8889", 'collector:8888', jaeger:8888] }]`
  const here = withAddresses(text, addresses, '/somewhere/rules')
  assert.match(here, /targets: \["127\.0\.0\.1:2", '127\.0\.0\.1:1', 127\.0\.0\.1:3\]/)
  assert.match(here, /\[\/somewhere\/rules\/\*\.yml\]/)
  assert.match(here, /job_name: collector\n/)
})

test('an unknown target throws', () => {
  assert.throws(() => withAddresses('targets: ["collector:1234"]', addresses, '/r'), /"collector:1234"/)
})

test('the shipped configuration gets all local addresses', async () => {
  const here = withAddresses(await readFile(shippedConfigs.prometheus, 'utf8'), addresses, '/r')
  for (const address of Object.values(addresses)) assert.ok(here.includes(address), address)
})

test('the clustered Jaeger configuration differs from the single one in its storage only', async () => {
  const [alone, clustered] = await Promise.all(
    [shippedConfigs.jaeger, shippedConfigs.jaeger.replace('jaeger.yaml', 'clustered.yaml')].map(async (file) => {
      const text = await readFile(file, 'utf8')
      assert.match(text, /# Storage: begin\n[\s\S]*# Storage: end\n/)
      return text.slice(text.indexOf('\nservice:')).replace(/(# Storage: begin\n)[\s\S]*(# Storage: end)/, '$1$2')
    }),
  )
  assert.equal(clustered, alone)
})

test('the limit on series: 20 for each node of a mesh, and without a number that of the configuration', async () => {
  const ports = await allocatePorts('any')
  const limitFor = (nodes?: number) => planServices('/tmp', ports, nodes).collector.env['CALLS_LIMIT']
  assert.deepEqual([limitFor(1_000), limitFor()], ['20000', undefined])
  const config = await readFile(shippedConfigs.collector, 'utf8')
  assert.equal(config.split(`\${env:CALLS_LIMIT:-${callsLimit}}`).length - 1, 3, 'two counters and mesh.series.limit')
  assert.equal(containerSettings['CALLS_LIMIT'], String(callsLimit))
})
