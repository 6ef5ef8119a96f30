import { chmodSync, rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { killAll, onExit } from '../../processes/exit.ts'
import { Watchdog } from '../../processes/watchdog.ts'
import { type RunningStack, startStack } from '../../stack/bare.ts'
import { ServiceProcess } from '../../stack/service-process.ts'
import { shippedConfigs } from '../../stack/services.ts'
import { startDnsServer } from '../cluster/dns-server.ts'
import { checkKustomization, templateOf, workloads } from './k8s-objects.ts'
import { copyOpenSearch, openSearchNode } from './opensearch.ts'
import { serviceRelay } from './service-relay.ts'

const overlay = fileURLToPath(new URL('../../../deploy/k8s/clustered', import.meta.url))
/** Starts of a Jaeger before the stack counts as failed, and the time between two. */
const [starts, startMs] = [10, 5_000]
const jaegerConfig = join(shippedConfigs.jaeger, '../clustered.yaml')

export interface ClusteredStackOptions {
  /** Paths of the programs, and of OpenSearch. */
  readonly programs: { readonly jaeger: string; readonly k8sCheck: string; readonly openSearch: string }
  /** Nodes of OpenSearch. */
  readonly nodes: 1 | 3
  readonly jaegers: 1 | 2
}

/** OpenSearch, Jaegers and a Collector as processes on loopback, with the settings of `deploy/k8s/clustered`. */
export interface ClusteredStack extends AsyncDisposable {
  readonly store: readonly ServiceProcess[]
  /** Of the first node. */
  readonly storeUrl: string
  readonly jaegers: readonly ServiceProcess[]
  readonly jaegerUrls: readonly string[]
  readonly jaegerMetrics: readonly string[]
  /** OTLP of each Jaeger. */
  readonly jaegerOtlps: readonly string[]
  readonly collector: RunningStack
}

/** Environment of each container of the overlay, by the name of its workload. */
async function readOverlay(program: string): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> {
  const { objects, problems } = await checkKustomization(program, overlay)
  if (problems.length > 0) throw new Error(`the overlay has problems: ${problems.join('; ')}`)
  const mapNamed = (wanted: string) =>
    objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === wanted)
  const envOf = (object: (typeof objects)[number]) => {
    const [container] = templateOf(object).spec.containers
    const own = container?.env?.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]))
    const shared = container?.envFrom?.map(({ configMapRef }) => mapNamed(configMapRef.name)?.data ?? {})
    return Object.assign({}, ...(shared ?? []), Object.fromEntries(own ?? [])) as Record<string, string>
  }
  return Object.fromEntries(workloads(objects).map((object) => [object.metadata.name, envOf(object)]))
}

export async function startClusteredStack(options: ClusteredStackOptions): Promise<ClusteredStack> {
  const { programs, nodes, jaegers } = options
  const env = await readOverlay(programs.k8sCheck)
  await using resources = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-store-'))
  await writeFile(join(directory, 'pid'), String(process.pid))
  chmodSync(directory, 0o755)
  const processes: ServiceProcess[] = []
  const watchdog = new Watchdog(directory, false)
  const onChange = () => watchdog.watch(processes.flatMap(({ pid }) => pid ?? []))
  const remove = () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  // Children outlive a process that exits.
  const cancelExit = onExit(() => {
    killAll(processes.flatMap(({ pid }) => (pid === undefined ? [] : [-pid])))
    remove()
  })
  resources.defer(async () => {
    await Promise.all(processes.map((one) => one.end('SIGKILL')))
    cancelExit()
    watchdog.release()
    remove()
  })
  const address = addressesOfRun()
  const pods = Array.from({ length: nodes }, (_, index) => ({
    name: `opensearch-${index}`,
    address: address(1 + index),
  }))
  const home = await copyOpenSearch(programs.openSearch, directory)
  const names = pods.map((pod) => `${pod.address} opensearch-nodes ${pod.name}\n`)
  const hosts = `127.0.0.1 localhost ${hostname()}\n${names.join('')}`
  const store = await Promise.all(
    pods.map((pod) => {
      const { settings, javaOptions } = openSearchSettings(env['opensearch'] ?? {}, nodes)
      return openSearchNode(home, directory, { ...pod, settings, javaOptions, hosts, onChange })
    }),
  )
  processes.push(...store)
  const service = address(9)
  resources.use(await serviceRelay({ address: service, port: 9_200, pods: pods.map((pod) => pod.address) }))
  const jaegerAddresses = Array.from({ length: jaegers }, (_, index) => address(11 + index))
  const front = jaegerAddresses.map((listen, index) => {
    const storeUrl = (env['jaeger']?.['TRACE_STORE_URL'] ?? '').replace('//opensearch:', `//${service}:`)
    return new ServiceProcess({
      name: `jaeger-${index}`,
      binary: programs.jaeger,
      args: ['--config', jaegerConfig],
      env: {
        ...(nodes === 1 && { TRACE_STORE_REPLICAS: '0' }),
        ...env['jaeger'],
        TRACE_STORE_URL: storeUrl,
        JAEGER_LISTEN: listen,
        JAEGER_UI_CONFIG: shippedConfigs.jaegerUi,
      },
      readyUrl: `http://${listen}:13133/status`,
      onChange,
    })
  })
  await Promise.all(store.map((one) => one.start()))
  processes.push(...front)
  await Promise.all(front.map(startAgain))
  const dns = await startDnsServer()
  resources.defer(() => dns.close())
  dns.set('jaeger-each', jaegerAddresses)
  const otlp = (env['collector']?.['JAEGER_OTLP'] ?? '').replace('dns:///', `dns://${dns.address}/`)
  const collector = await startStack({
    services: ['collector'],
    env: { collector: { ...env['collector'], JAEGER_OTLP: otlp } },
  })
  resources.use(collector)
  const owned = resources.move()
  return {
    store,
    storeUrl: `http://${pods[0]?.address}:9200`,
    jaegers: front,
    jaegerUrls: jaegerAddresses.map((one) => `http://${one}:16686`),
    jaegerMetrics: jaegerAddresses.map((one) => `http://${one}:8888/metrics`),
    jaegerOtlps: jaegerAddresses.map((one) => `http://${one}:4317`),
    collector,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** As the kubelet does: a Jaeger exits when the store does not answer at its start. */
async function startAgain(jaeger: ServiceProcess): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await jaeger.start()
    } catch (error) {
      if (attempt === starts) throw error
      await sleep(startMs)
    }
  }
}

/** Addresses of loopback for one run: beside each other, runs have the same ports. */
function addressesOfRun(): (last: number) => string {
  const octet = () => 16 + Math.floor(Math.random() * 200)
  const network = `127.${octet()}.${octet()}`
  return (last) => `${network}.${last}`
}

/** As the image's entry point: variables with a dot are settings. One node has no others to find. */
function openSearchSettings(env: Readonly<Record<string, string>>, nodes: number) {
  const settings = Object.fromEntries(Object.entries(env).filter(([name]) => name.includes('.')))
  const javaOptions = (env['OPENSEARCH_JAVA_OPTS'] ?? '').split(' ').filter(Boolean)
  if (nodes > 1) return { settings, javaOptions }
  const isOfCluster = (name: string) => /^(?:discovery|cluster\.initial)/.test(name)
  const own = Object.entries(settings).filter(([name]) => !isOfCluster(name))
  return { settings: { ...Object.fromEntries(own), 'discovery.type': 'single-node' }, javaOptions }
}
