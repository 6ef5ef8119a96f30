import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { parse } from 'yaml'
import { roles, roleTable } from '../catalogue/roles.ts'
import { readConfig } from '../node/config.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { skipWithout } from '../testing/requirement.ts'
import {
  allows,
  type Container,
  checkKustomization,
  type KubeObject,
  type Labels,
  mebibytes,
  millicores,
  type NetworkPolicy,
  selects,
  templateOf,
  workloads,
} from '../testing/stack/k8s-objects.ts'
import { k8sVariants } from '../testing/stack/k8s-variants.ts'
import { temporaryDirectory } from '../testing/surroundings.ts'
import { stackBinary } from './binaries.ts'
import { bytesPerSpan, otherQueueItems, renderSizes } from './clustered-sizes.ts'
import { containerSettings } from './services.ts'

leakCheck()

const root = fileURLToPath(new URL('../../', import.meta.url))
const program = await stackBinary('k8s-check')
const check = (directory: string) =>
  'path' in program ? checkKustomization(program.path, directory) : assert.fail(program.missing)
const variants = 'path' in program ? await k8sVariants(program.path) : []
const { objects } = variants.find(({ store, alerting }) => store === 'single' && alerting === 'alerts') ?? {
  objects: [],
}

/** A test of the objects that `k8s-check` renders. */
function renderedTest(name: string, run: (t: TestContext) => void | Promise<void>): void {
  test(name, (t) => ('path' in program ? run(t) : skipWithout(t, 'k8s-check', program.missing)))
}

/** A test of the objects of all variants. */
function variantTest(name: string, run: (all: readonly KubeObject[]) => void | Promise<void>): void {
  renderedTest(name, async () => {
    for (const { objects: all } of variants) await run(all)
  })
}

const nodes = (from = objects) => workloads(from).filter((object) => nodeOf(object) !== undefined)

function nodeOf(object: KubeObject): Container | undefined {
  return templateOf(object).spec.containers.find(({ name }) => name === 'node')
}

/** Labels of each pod; Kubernetes adds its name to those of a StatefulSet. */
function podLabels(object: KubeObject): Labels[] {
  const { labels } = templateOf(object).metadata
  if (object.kind !== 'StatefulSet') return [labels]
  const pods = Array.from({ length: object.spec.replicas ?? 1 }, (_, index) => `${object.metadata.name}-${index}`)
  return pods.map((pod) => ({ ...labels, 'statefulset.kubernetes.io/pod-name': pod }))
}

function objectNamed(from: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = from.find((object) => object.kind === kind && object.metadata.name === name)
  assert.ok(found, `no ${kind} ${name}`)
  return found
}

function workloadNamed(from: readonly KubeObject[], name: string): KubeObject {
  return workloads(from).find(({ metadata }) => metadata.name === name) ?? assert.fail(`no workload ${name}`)
}

/** A headless service of these pods, whose name resolves to all of them, unready ones included. */
function assertHeadless({ spec }: KubeObject, pods: KubeObject): void {
  assert.deepEqual([spec.clusterIP, spec.publishNotReadyAddresses], ['None', true])
  assert.ok(selects({ matchLabels: spec.selector }, templateOf(pods).metadata.labels))
}

/** The environment of the node or only container of a workload, as the kubelet would set it. */
function environment(object: KubeObject, from = objects): Record<string, string> {
  const container = nodeOf(object) ?? templateOf(object).spec.containers[0] ?? assert.fail('no container')
  const env: Record<string, string> = {}
  for (const { configMapRef } of container.envFrom ?? [])
    Object.assign(env, objectNamed(from, 'ConfigMap', configMapRef.name).data)
  const fields: Record<string, string> = {
    'status.podIP': '10.1.2.3',
    'spec.nodeName': 'machine-1',
    'metadata.name': `${object.metadata.name}-7d9f8b6c5-abcde`,
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const field = fields[valueFrom?.fieldRef?.fieldPath ?? '']
    const secret = valueFrom?.secretKeyRef && 'a-token-of-some-length'
    // Only earlier variables can be referenced.
    env[name] = field ?? secret ?? (value ?? '').replace(/\$\((\w+)\)/g, (whole, of: string) => env[of] ?? whole)
  }
  return env
}

renderedTest('an API server would accept every object of all variants', () => {
  for (const { problems } of variants) assert.deepEqual(problems, [])
})

renderedTest('the check rejects what an API server would refuse', async (t) => {
  const directory = temporaryDirectory(t)
  const pod = 'containers: [{ name: a, image: b, imagePullPolcy: Always, securityContext: { privileged: true } }]'
  const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: a, namespace: b }
spec:
  selector: { matchLabels: { app: a } }
  template: { metadata: { labels: { app: NAME } }, spec: { ${pod} } }
`
  const problemsOf = async (text: string) => {
    await writeFile(join(directory, 'kustomization.yaml'), 'resources: [a.yaml]')
    await writeFile(join(directory, 'a.yaml'), text)
    return (await check(directory)).problems.join('\n')
  }
  assert.match(await problemsOf(deployment), /unknown field.*imagePullPolcy/)
  const corrected = deployment.replace(', imagePullPolcy: Always', '')
  assert.match(await problemsOf(corrected), /selector.*does not match template.*restricted: privileged/s)
  assert.match(await problemsOf(corrected.replace('name: a, image: b', 'name: a, image: 1')), /cannot unmarshal number/)
})

renderedTest('each mesh has two seeds and every role, one bridge included', () => {
  const environments = nodes().map((object) => environment(object))
  for (const mesh of ['mesh-a', 'mesh-b']) {
    const here = environments.filter((env) => env['MESH_ID'] === mesh).map((env) => env['MESH_ROLE'])
    assert.deepEqual(here.toSorted(), roles.toSorted(), mesh)
    assert.equal(objectNamed(objects, 'StatefulSet', `${mesh}-seed`).spec.replicas, 2)
  }
})

renderedTest('every node accepts its configuration and announces the address of its pod', () => {
  assert.equal(nodes().length, 2 * roles.length)
  for (const object of nodes()) {
    const env = environment(object)
    const { config, problems } = readConfig(env)
    assert.deepEqual(problems, [], object.metadata.name)
    assert.deepEqual(config?.announce, ['/ip4/10.1.2.3/udp/4001/quic-v1'])
    assert.equal(env['OTEL_RESOURCE_ATTRIBUTES'], 'k8s.node.name=machine-1')
    assert.ok((config?.seeds.length ?? 0) >= 2)
  }
})

renderedTest('every seed in MESH_SEEDS is a pod with a stable DNS name and identity', () => {
  const dialled = new Set(nodes().flatMap((object) => environment(object)['MESH_SEEDS']?.split(',') ?? []))
  assert.equal(dialled.size, 4)
  for (const address of dialled) {
    const [, pod = '', ordinal, service = ''] =
      /^\/dns4\/([\w-]+)-(\d)\.([\w-]+)\/udp\/4001\/quic-v1$/.exec(address) ?? []
    const seed = objectNamed(objects, 'StatefulSet', pod)
    assert.equal(seed.spec.serviceName, service)
    assert.ok(Number(ordinal) < (seed.spec.replicas ?? 0), address)
    assertHeadless(objectNamed(objects, 'Service', service), seed)
    const claim = nodeOf(seed)?.volumeMounts?.find(
      ({ name }) => seed.spec.volumeClaimTemplates?.[0]?.metadata.name === name,
    )
    assert.ok(environment(seed)['MESH_IDENTITY']?.startsWith(`${claim?.mountPath}/`))
  }
})

renderedTest('the ConfigMaps of the stack equal the files of otel and jaeger, byte for byte', async () => {
  const files: Record<string, Record<string, string>> = {
    'collector-config': { 'config.yaml': 'otel/collector.yaml' },
    'prometheus-rules': { 'mesh.yml': 'otel/rules/mesh.yml' },
    'alertmanager-config': { 'alertmanager.yml': 'otel/alertmanager.yml' },
    'jaeger-config': { 'config.yaml': 'jaeger/jaeger.yaml', 'ui.json': 'jaeger/ui.json' },
    'jaeger-clustered-config': { 'config.yaml': 'jaeger/clustered.yaml', 'ui.json': 'jaeger/ui.json' },
  }
  for (const [prefix, keys] of Object.entries(files)) {
    const data = objects.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.replace(/-\w+$/, '') === prefix,
    )?.data
    for (const [key, file] of Object.entries(keys))
      assert.equal(data?.[key], await readFile(join(root, file), 'utf8'), `${prefix} ${key}`)
  }
})

variantTest('every reference of a pod resolves, and the only secret is the token', (all) => {
  for (const object of workloads(all)) {
    const { spec } = templateOf(object)
    objectNamed(all, 'ServiceAccount', spec.serviceAccountName)
    assert.equal(spec.automountServiceAccountToken, false)
    const claims = object.spec.volumeClaimTemplates?.map(({ metadata }) => metadata.name) ?? []
    for (const { configMap, projected } of spec.volumes ?? []) {
      const maps = [configMap, ...(projected?.sources.map((source) => source.configMap) ?? [])]
      for (const map of maps) if (map !== undefined) objectNamed(all, 'ConfigMap', map.name)
    }
    if (claims.length > 0) assert.notEqual(spec.securityContext.fsGroup, undefined, 'root would own its volume')
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      for (const { configMapRef } of container.envFrom ?? []) objectNamed(all, 'ConfigMap', configMapRef.name)
      const secrets = container.env?.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []) ?? []
      for (const { name, key } of secrets) assert.deepEqual([name, key], ['tracemesh-admin', 'token'])
      assert.match(container.image, /:[\w.]*[\d.]+$|:dev$/, 'the image has a pinned version')
    }
  }
})

variantTest('images are those of compose, so only one version of each is in use', async (all) => {
  const compose = await readFile(join(root, 'deploy/.env'), 'utf8')
  const own = ['opensearch', 'forget']
  for (const object of workloads(all).filter(({ metadata }) => !own.includes(metadata.name)))
    for (const { image } of templateOf(object).spec.containers)
      assert.match(compose, new RegExp(`^\\w+_IMAGE=${image.replaceAll('.', '\\.')}$`, 'm'), image)
})

test('the Collector: its queues have a volume with room for twice of them, and its archive another one', async () => {
  const [config = '', manifest = ''] = await Promise.all(
    ['otel/collector.yaml', 'deploy/k8s/collector/collector.yaml'].map((name) => readFile(join(root, name), 'utf8')),
  )
  const bound = (name: string) => Number(new RegExp(`env:${name}:-(\\d+)}`).exec(config)?.[1])
  // The current file comes on top of the rotated ones, and their MB is 2^20 bytes.
  const filesMib = (bound('SPANS_FILES') + 1) * bound('SPANS_FILE_MB')
  // Measured: half a million spans take about 220 MB; compaction writes a second copy.
  const queueMib = ((bound('QUEUE_ITEMS') + otherQueueItems) * bytesPerSpan.queue) / 2 ** 20
  const sizeOf = (key: string) => {
    const path = new RegExp(`env:${key}:-([\\w/-]+)}`).exec(config)?.[1] ?? assert.fail(key)
    const mounts = [...manifest.matchAll(/\{ name: ([\w-]+), mountPath: ([\w/-]+) }/g)]
    const claim = mounts.find(([, , at]) => path.startsWith(`${at}/`))?.[1]
    const claims = new RegExp(`name: ${claim}\\n(?:.*\\n){0,5} +requests: \\{ storage: (\\w+) }`)
    return { claim, mib: mebibytes(claims.exec(manifest)?.[1] ?? assert.fail(`no claim ${claim}`)) }
  }
  const [queue, archive] = [sizeOf('QUEUE_DIR'), sizeOf('SPANS_DIR')]
  // The queue stands where earlier versions have it: an upgrade moves nothing.
  assert.deepEqual([queue.claim, archive.claim], ['data', 'archive'])
  assert.ok(filesMib > 0 && queueMib > 0)
  assert.ok(archive.mib > filesMib, `${archive.mib} for ${filesMib} MiB`)
  assert.ok(queue.mib > 2 * queueMib, `${queue.mib} for twice ${queueMib} MiB`)
})

renderedTest('the clustered stack: each volume of the Collector has its own size of sizes.env', () => {
  for (const { objects: all, sizedFor } of variants.filter(({ store }) => store === 'clustered')) {
    const sizes = parseEnv(renderSizes(sizedFor))
    const claims = workloadNamed(all, 'collector').spec.volumeClaimTemplates ?? []
    const got = claims.map(({ metadata, spec }) => [metadata.name, spec.resources.requests.storage])
    assert.deepEqual(Object.fromEntries(got), { data: sizes['QUEUE_VOLUME'], archive: sizes['ARCHIVE_VOLUME'] })
  }
})

renderedTest('several Jaegers: the Collector sends to each', () => {
  for (const { objects: all } of variants.filter(({ store }) => store === 'clustered')) {
    const { JAEGER_OTLP = '' } = environment(workloadNamed(all, 'collector'), all)
    const [, name = '', port] = /^dns:\/\/\/([\w-]+):(\d+)$/.exec(JAEGER_OTLP) ?? []
    const service = objectNamed(all, 'Service', name)
    assertHeadless(service, workloadNamed(all, 'jaeger'))
    assert.deepEqual(
      service.spec.ports?.map((one) => one.port),
      [Number(port), 8888],
    )
  }
})

renderedTest('a Prometheus operator: its rules are those of otel, and the check rejects a broken one', async (t) => {
  const rules = (from: readonly KubeObject[]) => objectNamed(from, 'PrometheusRule', 'tracemesh').spec as unknown
  const shipped = parse(await readFile(join(root, 'otel/rules/mesh.yml'), 'utf8')) as { readonly groups: unknown }
  for (const { objects: all } of variants.filter(({ alerting }) => alerting === 'operator'))
    assert.deepEqual(rules(all), { groups: shipped.groups })
  const directory = temporaryDirectory(t)
  const text = await readFile(join(root, 'deploy/k8s/operator/rules.yaml'), 'utf8')
  await writeFile(join(directory, 'kustomization.yaml'), 'resources: [rules.yaml]')
  for (const [from, to, says] of [
    ['keep_firing_for:', 'keep_firing:', /unknown field/],
    ['- record: pipeline:incomplete:bool', '- expr2: 1', /unknown field/],
    ['name: mesh-warning', 'name: mesh-critical', /two of the name mesh-critical/],
    ['record: pipeline:incomplete:bool', 'record: ""', /not one alert or one recording/],
  ] as const) {
    await writeFile(join(directory, 'rules.yaml'), text.replace(from, to))
    assert.match((await check(directory)).problems.join('\n'), says, to)
  }
})

variantTest('ports of services and probes are ports of their containers', (all) => {
  for (const { spec, metadata } of all.filter(({ kind }) => kind === 'Service')) {
    const behind = workloads(all).filter((one) =>
      podLabels(one).some((labels) => selects({ matchLabels: spec.selector }, labels)),
    )
    assert.equal(behind.length, 1, `${metadata.name} selects one workload`)
    const open = behind.flatMap((one) => templateOf(one).spec.containers[0]?.ports ?? [])
    for (const { port, targetPort, protocol } of spec.ports ?? []) {
      const target = open.find(({ name }) => name === targetPort)
      assert.deepEqual([target?.containerPort, target?.protocol], [port, protocol], `${metadata.name} ${targetPort}`)
    }
  }
  for (const object of workloads(all).filter(({ kind }) => kind !== 'CronJob')) {
    const [container] = templateOf(object).spec.containers
    assert.ok(container?.livenessProbe && container.readinessProbe, `${object.metadata.name} has probes`)
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port
      const isOpen = container.ports?.some(({ name }) => name === port)
      assert.ok(probe === undefined || isOpen, `${object.metadata.name} ${port}`)
    }
  }
})

renderedTest('Collector and Jaeger have the memory limits of compose, which are measured', () => {
  for (const name of ['collector', 'jaeger']) {
    const object = workloadNamed(objects, name)
    const [container = assert.fail(name)] = templateOf(object).spec.containers
    const key = name.toUpperCase()
    assert.equal(`${mebibytes(container.resources.limits.memory)}m`, containerSettings[`${key}_MEMORY`])
    assert.equal(environment(object)['GOMEMLIMIT'], containerSettings[`${key}_GOMEMLIMIT`])
  }
})

variantTest('every container has limits; a node requests its budget, and its limits are higher', (all) => {
  for (const object of workloads(all)) {
    for (const { name, resources } of templateOf(object).spec.containers) {
      assert.ok(mebibytes(resources.requests.memory) <= mebibytes(resources.limits.memory), name)
      assert.ok(millicores(resources.requests.cpu) <= millicores(resources.limits.cpu), name)
    }
  }
  for (const object of nodes(all)) {
    const { resources } = nodeOf(object) as Container
    const role = roles.find((one) => one === environment(object, all)['MESH_ROLE'])
    const { rssMb, cpuMsPerS } = roleTable[role ?? 'compute'].budget
    assert.equal(mebibytes(resources.requests.memory), rssMb, object.metadata.name)
    assert.ok(mebibytes(resources.limits.memory) > rssMb)
    assert.ok(millicores(resources.limits.cpu) > cpuMsPerS)
  }
})

variantTest('every workload with several pods has one disruption budget of one pod', (all) => {
  const budgetsOf = all.filter(({ kind }) => kind === 'PodDisruptionBudget')
  for (const object of workloads(all).filter(({ spec }) => (spec.replicas ?? 1) > 1)) {
    const { labels } = templateOf(object).metadata
    // Two budgets for one pod would block every eviction.
    const [budget, ...more] = budgetsOf.filter(({ spec }) => selects(spec.selector, labels))
    assert.deepEqual([budget?.spec.maxUnavailable, more], [1, []], object.metadata.name)
  }
})

renderedTest('network policies allow what the stack needs and nothing else', () => {
  const labels = (all: readonly KubeObject[], name: string) => templateOf(workloadNamed(all, name)).metadata.labels
  type Way = [from: string, to: string, port: number, protocol?: string]
  const check = (all: readonly KubeObject[], expected: boolean, ...ways: Way[]) => {
    const policies = all.filter(({ kind }) => kind === 'NetworkPolicy') as unknown as NetworkPolicy[]
    for (const [from, to, port, protocol = 'TCP'] of ways) {
      const passed = allows(policies, labels(all, from), labels(all, to), port, protocol)
      assert.equal(passed, expected, `${from} to ${to} at ${protocol} ${port}`)
    }
  }
  const everywhere: Way[] = [
    ['mesh-a-compute', 'mesh-a-seed', 4001, 'UDP'],
    ['bridge-b-a', 'mesh-a-seed', 4001, 'UDP'],
    ['mesh-b-gateway', 'bridge-a-b', 4001, 'UDP'],
    ['mesh-a-broker', 'collector', 4317],
    ['bridge-a-b', 'collector', 4317],
    ['mesh-a-observer', 'jaeger', 16686],
    ['collector', 'jaeger', 4317],
    ['jaeger', 'prometheus', 9090],
    ['prometheus', 'collector', 8888],
    ['prometheus', 'collector', 8889],
    ['prometheus', 'jaeger', 8888],
    ['prometheus', 'alertmanager', 9093],
  ]
  const nowhere: Way[] = [
    ['mesh-a-compute', 'mesh-a-seed', 4001],
    ['mesh-a-compute', 'mesh-a-observer', 16680],
    ['mesh-a-compute', 'jaeger', 16686],
    ['mesh-a-compute', 'jaeger', 4317],
    ['jaeger', 'collector', 4317],
    ['alertmanager', 'prometheus', 9090],
  ]
  for (const { objects: all } of variants) {
    const isHere = ([from, to]: Way) =>
      [from, to].every((name) => workloads(all).some((one) => one.metadata.name === name))
    check(all, true, ...everywhere.filter(isHere))
    check(all, false, ...nowhere.filter(isHere))
  }
  const { objects: store } = variants.find((one) => one.store === 'clustered') ?? { objects: [] }
  check(store, true, ['jaeger', 'opensearch', 9200], ['forget', 'opensearch', 9200], ['opensearch', 'opensearch', 9300])
  check(store, false, ['mesh-a-observer', 'opensearch', 9200], ['jaeger', 'opensearch', 9300])
})
