import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MeshError } from '../core/errors.ts'
import { Watchdog } from '../lab/watchdog.ts'
import { stackBinary } from './binaries.ts'
import { writePrometheusConfig } from './own-configs.ts'
import { ServiceProcess } from './service-process.ts'
import {
  addressesOf,
  allocatePorts,
  planServices,
  type ServiceName,
  type ServicePlan,
  serviceNames,
  url,
} from './services.ts'

export interface StackOptions {
  /** Keeps its data there, for the next start; a directory of its own that is removed unless given. */
  readonly directory?: string
  /** `usual` takes the ports that containers have, where they are free. Any, unless given. */
  readonly ports?: 'usual' | 'any'
  /** Rules in place of otel/rules. */
  readonly rules?: string
  /** All unless given. */
  readonly services?: readonly ServiceName[]
  /** Variables that the configuration files know, by service. */
  readonly env?: Partial<Readonly<Record<ServiceName, Readonly<Record<string, string>>>>>
  /** Milliseconds until a service has to be ready, a minute unless given. */
  readonly readyMs?: number
  /** Control groups that services are in, by their `cgroup.procs`. */
  readonly groups?: Partial<Readonly<Record<ServiceName, string>>>
}

/** Where the stack listens, whether a service of it runs or not. */
export interface StackUrls {
  /** OTLP over gRPC, of the Collector. */
  readonly otlp: string
  readonly otlpHttp: string
  /** Page and API of Jaeger. */
  readonly jaeger: string
  /** OTLP over gRPC, of Jaeger: what the Collector sends to. */
  readonly jaegerOtlp: string
  readonly prometheus: string
  readonly alertmanager: string
  /** Metrics of the Collector's own, and those that it makes from spans. */
  readonly collectorMetrics: string
  readonly spanMetrics: string
}

/** Collector, Jaeger, Prometheus and Alertmanager as processes on loopback. They end with whoever started them. */
export interface RunningStack extends AsyncDisposable {
  readonly urls: StackUrls
  readonly directory: string
  /** Undefined while it does not run. */
  pid(service: ServiceName): number | undefined
  /** What it said last. */
  output(service: ServiceName): string
  /** Resolves when it is ready, with the data it had. Throws MESH_STACK_FAILED. */
  start(service: ServiceName): Promise<void>
  /** In order; all of them, and then for good, when none is named. */
  stop(service?: ServiceName): Promise<void>
  /** As if the power had gone. */
  kill(service: ServiceName): Promise<void>
}

/**
 * Starts the stack without containers, from the configuration files that containers have. Resolves when all of it is
 * ready. Throws MESH_STACK_MISSING for a program that is not there, MESH_STACK_FAILED for one that does not start.
 */
export async function startStack(options: StackOptions = {}): Promise<RunningStack> {
  const names = serviceNames.filter((name) => options.services?.includes(name) ?? true)
  const directory = await createDirectory(options.directory)
  const remove = () => {
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  const ports = await allocatePorts(options.ports ?? 'any')
  const plans = planServices(directory, ports)
  const watchdog = new Watchdog(directory, false)
  const services: Partial<Record<ServiceName, ServiceProcess>> = {}
  const processes = () => Object.values(services)
  const watch = () => watchdog.watch(processes().flatMap(({ pid }) => pid ?? []))
  // What cannot wait: a process that exits leaves its children behind.
  const atExit = () => {
    for (const { pid } of processes()) if (pid !== undefined) process.kill(pid, 'SIGKILL')
    remove()
    watchdog.release()
  }
  process.once('exit', atExit)
  const stopAll = async () => {
    // From the front, so that each still has somewhere to send to.
    for (const name of names.toReversed()) await services[name]?.end('SIGTERM')
    process.off('exit', atExit)
    watchdog.release()
    remove()
  }
  const serviceNamed = (name: ServiceName): ServiceProcess => {
    const service = services[name]
    if (service === undefined)
      throw new MeshError('MESH_STACK_FAILED', { service: name, why: 'it is not in this stack' })
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

/** One that is its own has a file with its process id: the watchdog removes no other. */
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
