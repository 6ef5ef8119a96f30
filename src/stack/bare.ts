import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MeshError } from '../core/errors.ts'
import { killAll, onExit } from '../processes/exit.ts'
import { Watchdog } from '../processes/watchdog.ts'
import { stackBinary } from './binaries.ts'
import { ServiceProcess } from './service-process.ts'
import {
  addressesOf,
  allocatePorts,
  planServices,
  type ServiceName,
  type ServicePlan,
  serviceNames,
  url,
  writePrometheusConfig,
} from './services.ts'

export interface StackOptions {
  /** Data directory, kept for the next start; by default a temporary directory that is removed at the end. */
  readonly directory?: string
  /** `usual` takes the ports of the containers where they are free; default `any`. */
  readonly ports?: 'usual' | 'any'
  /** Nodes of each mesh, from which the Collector's limits on series follow; otherwise those of otel/collector.yaml. */
  readonly nodes?: number
  /** Rules in place of otel/rules. */
  readonly rules?: string
  /** Services to start; all by default. */
  readonly services?: readonly ServiceName[]
  /** Variables for the configuration files, by service. */
  readonly env?: Partial<Readonly<Record<ServiceName, Readonly<Record<string, string>>>>>
  /** Milliseconds within which a service has to be ready; a minute by default. */
  readonly readyMs?: number
  /** Control group of each service, as the path of its `cgroup.procs`. */
  readonly groups?: Partial<Readonly<Record<ServiceName, string>>>
}

/** Addresses of the stack; they stay the same while a service is stopped. */
export interface StackUrls {
  /** OTLP over gRPC, of the Collector. */
  readonly otlp: string
  readonly otlpHttp: string
  /** Page and API of Jaeger. */
  readonly jaeger: string
  /** OTLP over gRPC, of Jaeger: the target of the Collector. */
  readonly jaegerOtlp: string
  readonly prometheus: string
  readonly alertmanager: string
  /** Internal metrics of the Collector, and the metrics it derives from spans. */
  readonly collectorMetrics: string
  readonly spanMetrics: string
}

/** Collector, Jaeger, Prometheus and Alertmanager as processes on loopback. They end with this process. */
export interface RunningStack extends AsyncDisposable {
  readonly urls: StackUrls
  readonly directory: string
  /** Undefined while the service does not run. */
  pid(service: ServiceName): number | undefined
  /** Last output of the service. */
  output(service: ServiceName): string
  /** Resolves when the service is ready, with its earlier data. Throws MESH_STACK_FAILED. */
  start(service: ServiceName): Promise<void>
  /** Stops one service in order; without a name all of them, for good. */
  stop(service?: ServiceName): Promise<void>
  /** Sends SIGKILL. */
  kill(service: ServiceName): Promise<void>
}

/**
 * Starts the stack without containers, from the configuration files of the containers. Resolves when all services are
 * ready. Throws MESH_STACK_MISSING for a missing program, MESH_STACK_FAILED for one that does not start.
 */
export async function startStack(options: StackOptions = {}): Promise<RunningStack> {
  const names = serviceNames.filter((name) => options.services?.includes(name) ?? true)
  const directory = await createDirectory(options.directory)
  const remove = () => {
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  const ports = await allocatePorts(options.ports ?? 'any')
  const plans = planServices(directory, ports, options.nodes)
  const watchdog = new Watchdog(directory, false)
  const services: Partial<Record<ServiceName, ServiceProcess>> = {}
  const processes = () => Object.values(services)
  const watch = () => watchdog.watch(processes().flatMap(({ pid }) => pid ?? []))
  // Synchronous cleanup: children outlive a process that exits.
  const cancelExit = onExit(() => {
    killAll(processes().flatMap(({ pid }) => pid ?? []))
    remove()
    watchdog.release()
  })
  const stopAll = async () => {
    // Senders first, so that each can still deliver.
    for (const name of names.toReversed()) await services[name]?.end('SIGTERM')
    cancelExit()
    watchdog.release()
    remove()
  }
  const serviceNamed = (name: ServiceName): ServiceProcess => {
    const service = services[name]
    if (service === undefined)
      throw new MeshError('MESH_STACK_FAILED', { service: name, why: 'this stack was started without it' })
    return service
  }
  try {
    if (names.includes('prometheus')) await writePrometheusConfig(directory, addressesOf(ports), options.rules)
    for (const name of names) services[name] = await createService(name, plans[name], options, watch)
    await Promise.all(processes().map((service) => service.start()))
  } catch (error) {
    await stopAll()
    throw error
  }
  let stopping: Promise<void> | undefined
  const stop = (name?: ServiceName) => {
    if (name !== undefined) return serviceNamed(name).end('SIGTERM')
    stopping ??= stopAll()
    return stopping
  }
  return {
    urls: {
      otlp: url(ports.otlp),
      otlpHttp: url(ports.otlpHttp),
      jaeger: url(ports.jaegerQuery),
      jaegerOtlp: url(ports.jaegerOtlp),
      prometheus: url(ports.prometheus),
      alertmanager: url(ports.alertmanager),
      collectorMetrics: `${url(ports.collectorMetrics)}/metrics`,
      spanMetrics: `${url(ports.spanMetrics)}/metrics`,
    },
    directory,
    pid: (name) => serviceNamed(name).pid,
    output: (name) => serviceNamed(name).output,
    start: (name) => serviceNamed(name).start(),
    stop,
    kill: (name) => serviceNamed(name).end('SIGKILL'),
    [Symbol.asyncDispose]: () => stop(),
  }
}

async function createService(
  name: ServiceName,
  { binary, args, env, readyUrl }: ServicePlan,
  { env: extraEnv, groups, readyMs }: StackOptions,
  onChange: () => void,
): Promise<ServiceProcess> {
  const result = await stackBinary(binary)
  if ('missing' in result) throw new MeshError('MESH_STACK_MISSING', { binary, reason: result.missing })
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'TZ'].flatMap((key) =>
      process.env[key] === undefined ? [] : [[key, process.env[key]]],
    ),
  ) as Record<string, string>
  return new ServiceProcess({
    name,
    binary: result.path,
    args,
    env: { ...inherited, ...env, ...extraEnv?.[name] },
    readyUrl,
    ...(groups?.[name] !== undefined && { group: groups[name] }),
    ...(readyMs !== undefined && { readyMs }),
    onChange,
  })
}

/** A temporary directory gets a file with the process id: the watchdog removes no other. */
async function createDirectory(path: string | undefined): Promise<string> {
  if (path !== undefined) {
    await mkdir(path, { recursive: true })
    return resolve(path)
  }
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-stack-'))
  try {
    await writeFile(join(directory, 'pid'), String(process.pid))
    return directory
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}
