import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { jobs as scrapeJobs } from '../catalogue/alerts/promql.ts'
import { leakCheck } from '../testing/leak-check.ts'
import { skipWithout } from '../testing/requirement.ts'
import { type KubeObject, mebibytes, selects, templateOf, workloads } from '../testing/stack/k8s-objects.ts'
import { type K8sVariant, k8sVariants } from '../testing/stack/k8s-variants.ts'
import { programTest } from '../testing/stack/program-test.ts'
import { stackBinary } from './binaries.ts'
import { seriesSizes } from './clustered-sizes.ts'

leakCheck()

const root = fileURLToPath(new URL('../../', import.meta.url))
const program = await stackBinary('k8s-check')
const variants = 'path' in program ? await k8sVariants(program.path) : []
const collectorsOf = { one: ['collector'], 'per-mesh': ['collector', 'mesh-b-collector'] } as const
const meshes = ['mesh-a', 'mesh-b']

/** A test of every combination that has these choices. */
function combinationTest(
  name: string,
  choice: Partial<K8sVariant>,
  run: (variant: K8sVariant) => void | Promise<void>,
): void {
  test(name, async (t) => {
    if ('missing' in program) return skipWithout(t, 'k8s-check', program.missing)
    const wanted = variants.filter((one) =>
      Object.entries(choice).every(([key, value]) => Reflect.get(one, key) === value),
    )
    assert.ok(wanted.length > 1)
    for (const variant of wanted) {
      assert.deepEqual(variant.problems, [])
      await run(variant)
    }
  })
}

function named(all: readonly KubeObject[], kind: string, name: string): KubeObject {
  return all.find((one) => one.kind === kind && one.metadata.name === name) ?? assert.fail(`no ${kind} ${name}`)
}

function workloadNamed(all: readonly KubeObject[], name: string): KubeObject {
  return workloads(all).find(({ metadata }) => metadata.name === name) ?? assert.fail(`no workload ${name}`)
}

function containerOf(object: KubeObject) {
  return templateOf(object).spec.containers[0] ?? assert.fail('no container')
}

/** Files that a pod of Prometheus reads, by their paths in /etc/prometheus. */
function prometheusFiles(all: readonly KubeObject[]): Record<string, string> {
  const volumes = templateOf(workloadNamed(all, 'prometheus')).spec.volumes ?? []
  const sources = volumes.flatMap(({ projected }) => projected?.sources ?? [])
  return Object.fromEntries(
    sources.flatMap(({ configMap: { name, items } }) => {
      const data = named(all, 'ConfigMap', name).data ?? {}
      const paths = items ?? Object.keys(data).map((key) => ({ key, path: key }))
      return paths.map(({ key, path }) => [path, data[key] ?? assert.fail(`no ${key} in ${name}`)])
    }),
  )
}

interface ScrapeJob {
  readonly job_name: string
  readonly honor_labels?: boolean
  readonly sample_limit?: number
  readonly static_configs: readonly { readonly targets: readonly string[]; readonly labels?: object }[]
  readonly dns_sd_configs?: readonly object[]
}

interface PrometheusConfig {
  readonly scrape_configs: readonly ScrapeJob[]
  readonly scrape_config_files?: readonly string[]
}

const shippedConfig = async () =>
  parse(await readFile(join(root, 'otel/prometheus.yml'), 'utf8')) as PrometheusConfig & {
    readonly global: { readonly scrape_interval: string; readonly scrape_timeout: string }
  }

const byName = (one: ScrapeJob, other: ScrapeJob) => one.job_name.localeCompare(other.job_name)

/** The configuration that Prometheus has after it has read its files. */
function configOf(all: readonly KubeObject[]): PrometheusConfig {
  const { 'prometheus.yml': main = '', ...files } = prometheusFiles(all)
  const { scrape_config_files: patterns, ...config } = parse(main) as PrometheusConfig
  assert.deepEqual(patterns, ['scrape/*.yml'])
  const more = Object.entries(files).filter(([path]) => /^scrape\/[\w-]+\.yml$/.test(path))
  const jobs = more.flatMap(([, text]) => (parse(text) as PrometheusConfig).scrape_configs)
  return { ...config, scrape_configs: [...config.scrape_configs, ...jobs].toSorted(byName) }
}

const collectorPort = (job: string) => ({ [scrapeJobs.spans]: 8889, [scrapeJobs.collector]: 8888 })[job]

/** The targets of the jobs of the Collector with their labels, as a combination needs them. */
function collectorTargets({ collectors }: K8sVariant, port: number): ScrapeJob['static_configs'] {
  if (collectors === 'one') return [{ targets: [`collector:${port}`] }]
  return collectorsOf[collectors].map((name, index) => ({
    targets: [`${name}:${port}`],
    labels: { mesh_id: meshes[index] },
  }))
}

combinationTest(
  'Prometheus, every combination: it scrapes as otel/prometheus.yml says, each Collector and each Jaeger',
  { alerting: 'alerts' },
  async (variant) => {
    const shipped = await shippedConfig()
    const each = {
      dns_sd_configs: [{ names: ['jaeger-each'], type: 'A', port: 8888, refresh_interval: '10s' }],
      // Without any pod it is a target that is down.
      static_configs: [{ targets: ['jaeger-each:8888'] }],
    }
    const jobs = shipped.scrape_configs.map((job) => {
      const port = collectorPort(job.job_name)
      if (port !== undefined) return { ...job, static_configs: collectorTargets(variant, port) }
      return job.job_name === scrapeJobs.jaeger && variant.store === 'clustered' ? { ...job, ...each } : job
    })
    assert.deepEqual(configOf(variant.objects), { ...shipped, scrape_configs: jobs.toSorted(byName) })
  },
)

combinationTest(
  'Prometheus, every combination: each target is a port of a Service',
  { alerting: 'alerts' },
  (variant) => {
    const targets = configOf(variant.objects).scrape_configs.flatMap((job) => job.static_configs)
    for (const target of targets.flatMap((one) => one.targets)) {
      const [name = '', port] = target.split(':')
      if (name === 'localhost') continue
      const { ports } = named(variant.objects, 'Service', name).spec
      assert.ok(
        ports?.some((one) => one.port === Number(port)),
        target,
      )
    }
  },
)

programTest(
  'Prometheus, every combination: promtool accepts its files, and reports a broken part',
  ['promtool'],
  async ({ folder, check }, t) => {
    if ('missing' in program) return skipWithout(t, 'k8s-check', program.missing)
    for (const sub of ['scrape', 'rules']) await mkdir(join(folder, sub))
    // deploy/offline.sh builds Prometheus without its plugins for service discovery.
    const plugin = /^ +dns_sd_configs: .*\n/m
    const verdict = () => check('check', 'config', 'prometheus.yml')
    for (const { objects } of variants.filter(({ alerting }) => alerting === 'alerts')) {
      for (const [path, text] of Object.entries(prometheusFiles(objects)))
        await writeFile(join(folder, path), text.replace(plugin, ''))
      const { ok, text } = await verdict()
      assert.ok(ok, text)
    }
    await writeFile(join(folder, 'scrape/jaeger.yml'), `scrape_configs: [{ job_name: ${scrapeJobs.collector} }]`)
    assert.match((await verdict()).text, /multiple scrape configs with job name/)
  },
)

interface MonitorSpec {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly targetLabels?: readonly string[]
  readonly sampleLimit: number
  readonly endpoints: readonly {
    readonly port: string
    readonly interval: string
    readonly scrapeTimeout: string
    readonly honorLabels?: boolean
    readonly relabelings: readonly {
      readonly sourceLabels?: readonly string[]
      readonly targetLabel?: string
      readonly replacement?: string
    }[]
  }[]
}

/** Services that a monitor selects and that have its port, each with the labels of its target. */
function targetsOf(all: readonly KubeObject[], monitor: KubeObject) {
  const { selector, targetLabels = [], endpoints } = monitor.spec as unknown as MonitorSpec
  const [{ port, relabelings } = assert.fail('no endpoint')] = endpoints
  const services = all.filter((one) => one.kind === 'Service' && selects(selector, one.metadata.labels ?? {}))
  return services.map(({ metadata: { name, labels = {} }, spec }) => {
    const number =
      spec.ports?.find((one) => one.targetPort === port)?.port ?? assert.fail(`${name} has no port ${port}`)
    const copied = targetLabels.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]] as const]))
    const instance = relabelings.find(({ targetLabel }) => targetLabel === 'instance')
    if (instance) assert.deepEqual(instance.sourceLabels, ['__meta_kubernetes_service_name'])
    return {
      targets: [instance?.replacement?.replace('$1', name) ?? `${name}:${number}`],
      ...(copied.length > 0 && { labels: Object.fromEntries(copied) }),
    }
  })
}

combinationTest(
  'a Prometheus operator, every combination: its monitors find what the scrape jobs find',
  { alerting: 'operator' },
  async (variant) => {
    const { global, scrape_configs: jobs } = await shippedConfig()
    const monitors = variant.objects.filter(({ kind }) => kind === 'ServiceMonitor')
    assert.deepEqual(
      monitors.map(({ metadata }) => metadata.name).toSorted(),
      [scrapeJobs.collector, scrapeJobs.jaeger, scrapeJobs.spans].toSorted(),
    )
    const jaegers = [{ targets: [variant.store === 'single' ? 'jaeger:8888' : 'jaeger-each:8888'] }]
    for (const monitor of monitors) {
      const { name } = monitor.metadata
      const { sampleLimit, endpoints } = monitor.spec as unknown as MonitorSpec
      const [{ interval, scrapeTimeout, honorLabels, relabelings } = assert.fail('no endpoint')] = endpoints
      const job = jobs.find((one) => one.job_name === name) ?? assert.fail(`no job ${name}`)
      assert.equal(relabelings.find(({ targetLabel }) => targetLabel === 'job')?.replacement, name)
      assert.deepEqual([sampleLimit, honorLabels ?? false], [job.sample_limit, job.honor_labels ?? false], name)
      assert.deepEqual([interval, scrapeTimeout], [global.scrape_interval, global.scrape_timeout])
      const expected = name === scrapeJobs.jaeger ? jaegers : collectorTargets(variant, collectorPort(name) ?? 0)
      assert.deepEqual(targetsOf(variant.objects, monitor), expected, name)
    }
  },
)

combinationTest(
  'a Prometheus operator, every combination: Jaeger asks it, and kube-prometheus may find targets here',
  { alerting: 'operator' },
  ({ objects }) => {
    assert.equal(
      objects.some(({ metadata }) => metadata.name === 'alertmanager' || metadata.name === 'prometheus'),
      false,
    )
    const url = containerOf(workloadNamed(objects, 'jaeger')).env?.find(({ name }) => name === 'PROMETHEUS_URL')?.value
    assert.equal(url, 'http://prometheus-operated.monitoring:9090')
    const role = named(objects, 'Role', 'prometheus-targets') as unknown as AccessRole
    const granted = role.rules.flatMap(({ resources, verbs }) => resources.map((one) => [one, ...verbs]))
    const verbs = ['get', 'list', 'watch']
    const wanted = ['endpoints', 'endpointslices', 'pods', 'services'].map((one) => [one, ...verbs])
    assert.deepEqual(granted.toSorted(), wanted)
    const { roleRef, subjects, metadata } = named(
      objects,
      'RoleBinding',
      'prometheus-targets',
    ) as unknown as AccessBinding
    assert.deepEqual([metadata.namespace, roleRef.name], ['tracemesh', 'prometheus-targets'])
    assert.deepEqual(subjects, [{ kind: 'ServiceAccount', name: 'prometheus-k8s', namespace: 'monitoring' }])
  },
)

interface AccessRole {
  readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[]
}

interface AccessBinding {
  readonly metadata: { readonly namespace: string }
  readonly roleRef: { readonly name: string }
  readonly subjects: readonly object[]
}

combinationTest(
  'a Collector for each mesh, every combination: each node sends to that of its mesh',
  { collectors: 'per-mesh' },
  ({ objects }) => {
    const podOf = (service: string) =>
      named(objects, 'Service', service).spec.selector?.['statefulset.kubernetes.io/pod-name']
    assert.deepEqual(collectorsOf['per-mesh'].map(podOf), ['collector-0', 'collector-1'])
    assert.equal(workloadNamed(objects, 'collector').spec.replicas, 2)
    const nodes = workloads(objects)
      .map(containerOf)
      .filter(({ name }) => name === 'node')
    assert.ok(nodes.length > 10)
    for (const { env = [], envFrom = [] } of nodes) {
      const data = envFrom.map(({ configMapRef }) => named(objects, 'ConfigMap', configMapRef.name).data ?? {})
      const own = Object.fromEntries(env.map(({ name, value }) => [name, value]))
      const { MESH_ID = '', MESH_OTLP } = Object.assign({}, ...data, own) as Record<string, string>
      const collector = collectorsOf['per-mesh'][meshes.indexOf(MESH_ID)]
      assert.equal(MESH_OTLP, `http://${collector}:4317`)
    }
  },
)

combinationTest(
  'several Jaegers, every combination: the sizes reach Collector, Prometheus and volumes',
  { store: 'clustered' },
  ({ objects, alerting, sizedFor }) => {
    const { callsLimit, collector, prometheus } = seriesSizes(sizedFor) ?? assert.fail()
    const { data = {} } = objects.find(({ metadata }) => metadata.name.startsWith('sizes-')) ?? {}
    assert.equal(data['CALLS_LIMIT'], String(callsLimit))
    const memory = { collector, ...(alerting === 'alerts' && { prometheus }) }
    for (const [name, mebi] of Object.entries(memory)) {
      const { resources, env } = containerOf(workloadNamed(objects, name))
      assert.equal(mebibytes(resources.limits.memory), mebi, name)
      const soft = Number.parseInt(env?.find((one) => one.name === 'GOMEMLIMIT')?.value ?? '', 10)
      assert.ok(soft > 0.75 * mebi && soft < 0.85 * mebi, `${name}: ${soft} of ${mebi} MiB`)
    }
    const maps = containerOf(workloadNamed(objects, 'collector')).envFrom?.map(({ configMapRef }) => configMapRef.name)
    assert.equal(maps?.length, 1)
    assert.match(maps?.[0] ?? '', /^sizes-/)
  },
)
