import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MeshError } from '../core/errors.ts'
import { Watchdog } from '../lab/watchdog.ts'
import { stackBinary } from './binaries.ts'
import { ownPrometheus } from './own-configs.ts'
import { ServiceProcess } from './service-process.ts'
import {
  addressesOf,
  drawPorts,
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
  said(service: ServiceName): string
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
  const wanted = serviceNames.filter((name) => options.services?.includes(name) ?? true)
  const directory = await ownDirectory(options.directory)
  const remove = () => {
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  const ports = await drawPorts(options.ports ?? 'any')
  const plans = planServices(directory, ports)
  const watchdog = new Watchdog(directory, false)
  const services: Partial<Record<ServiceName, ServiceProcess>> = {}
  const all = () => Object.values(services)
  const watch = () => watchdog.watch(all().flatMap(({ pid }) => pid ?? []))
  // What cannot wait: a process that exits leaves its children behind.
  const atExit = () => {
    for (const { pid } of all()) if (pid !== undefined) process.kill(pid, 'SIGKILL')
    remove()
    watchdog.release()
  }
  process.once('exit', atExit)
  const stopAll = async () => {
    // From the front, so that each still has somewhere to send to.
    for (const name of wanted.toReversed()) await services[name]?.end('SIGTERM')
    process.off('exit', atExit)
    watchdog.release()
    remove()
  }
  const running = (name: ServiceName): ServiceProcess => {
    const service = services[name]
    if (service === undefined)
      throw new MeshError('MESH_STACK_FAILED', { service: name, why: 'it is not in this stack' })
    return service
  }
  try {
    if (wanted.includes('prometheus')) await ownPrometheus(directory, addressesOf(ports), options.rules)
    for (const name of wanted) services[name] = await serviceOf(name, plans[name], options, watch)
    await Promise.all(all().map((service) => service.start()))
  } catch (error) {
    await stopAll()
    throw error
  }
  let stopping: Promise<void> | undefined
  const stop = (name?: ServiceName) => {
    if (name !== undefined) return running(name).end('SIGTERM')
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
    pid: (name) => running(name).pid,
    said: (name) => running(name).said,
    start: (name) => running(name).start(),
    stop,
    kill: (name) => running(name).end('SIGKILL'),
    [Symbol.asyncDispose]: () => stop(),
  }
}

async function serviceOf(
  name: ServiceName,
  { binary, args, env, readyUrl }: ServicePlan,
  { env: more, groups, readyMs }: StackOptions,
  changed: () => void,
): Promise<ServiceProcess> {
  const found = await stackBinary(binary)
  if ('missing' in found) throw new MeshError('MESH_STACK_MISSING', { binary, reason: found.missing })
  const inherited = Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'TZ'].flatMap((key) =>
      process.env[key] === undefined ? [] : [[key, process.env[key]]],
    ),
  ) as Record<string, string>
  return new ServiceProcess({
    name,
    binary: found.path,
    args,
    env: { ...inherited, ...env, ...more?.[name] },
    readyUrl,
    ...(groups?.[name] !== undefined && { group: groups[name] }),
    ...(readyMs !== undefined && { readyMs }),
    changed,
  })
}

/** One that is its own has a file with its process id: the watchdog removes no other. */
async function ownDirectory(given: string | undefined): Promise<string> {
  if (given !== undefined) {
    await mkdir(given, { recursive: true })
    return resolve(given)
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
