import { readFileSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { callsLimitFor } from '../catalogue/span-counts.ts'
import { freeTcpPorts } from '../processes/free-ports.ts'
import type { StackBinary } from './binaries.ts'

export const serviceNames = ['jaeger', 'collector', 'alertmanager', 'prometheus'] as const
export type ServiceName = (typeof serviceNames)[number]

/** Command line and environment of one service. */
export interface ServicePlan {
  readonly binary: StackBinary
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly readyUrl: string
}

/** Ports of the stack in containers; an interactive stack uses them where they are free. */
const usualPorts = {
  otlp: 4317,
  otlpHttp: 4318,
  collectorInside: 0,
  collectorStored: 0,
  collectorArchive: 0,
  collectorHealth: 13133,
  collectorMetrics: 8888,
  spanMetrics: 8889,
  jaegerOtlp: 0,
  jaegerQuery: 16686,
  jaegerQueryGrpc: 16685,
  jaegerHealth: 0,
  jaegerMetrics: 0,
  prometheus: 9090,
  alertmanager: 9093,
} as const

export type Ports = Readonly<Record<keyof typeof usualPorts, number>>

/** @param choice Whether to prefer the usual ports where they are free; otherwise any free port. */
export async function allocatePorts(choice: 'usual' | 'any'): Promise<Ports> {
  const names = Object.keys(usualPorts) as (keyof Ports)[]
  const ports = await freeTcpPorts(names.map((name) => (choice === 'usual' ? usualPorts[name] : 0)))
  return Object.fromEntries(names.map((name, index) => [name, ports[index] ?? 0])) as Record<keyof Ports, number>
}

export function url(port: number): string {
  return `http://127.0.0.1:${port}`
}

/** Settings of the containers. */
export const containerSettings = parseEnv(readFileSync(new URL('../../deploy/.env', import.meta.url), 'utf8'))

/** Soft memory limit of the Go runtime, as in the container. */
function goMemory(name: 'COLLECTOR' | 'JAEGER'): string {
  return containerSettings[`${name}_GOMEMLIMIT`] ?? ''
}

/** Local addresses of the targets in Prometheus's configuration. */
export function addressesOf(ports: Ports): Addresses {
  return {
    'collector:8888': loopbackAddress(ports.collectorMetrics),
    'collector:8889': loopbackAddress(ports.spanMetrics),
    'jaeger:8888': loopbackAddress(ports.jaegerMetrics),
    'alertmanager:9093': loopbackAddress(ports.alertmanager),
    'localhost:9090': loopbackAddress(ports.prometheus),
  }
}

/** Plans each service on loopback, with the configuration of its container and its data below `directory`. `nodes`: of each mesh. */
export function planServices(
  directory: string,
  ports: Ports,
  nodes?: number,
): Readonly<Record<ServiceName, ServicePlan>> {
  const at = (...path: string[]) => join(directory, ...path)
  return {
    collector: {
      binary: 'otelcol-contrib',
      args: ['--config', shippedConfigs.collector],
      env: {
        GOMEMLIMIT: goMemory('COLLECTOR'),
        COLLECTOR_LISTEN: '127.0.0.1',
        OTLP_GRPC_PORT: String(ports.otlp),
        OTLP_HTTP_PORT: String(ports.otlpHttp),
        COLLECTOR_INSIDE_PORT: String(ports.collectorInside),
        COLLECTOR_STORED_PORT: String(ports.collectorStored),
        COLLECTOR_ARCHIVE_PORT: String(ports.collectorArchive),
        COLLECTOR_HEALTH_PORT: String(ports.collectorHealth),
        COLLECTOR_METRICS_PORT: String(ports.collectorMetrics),
        SPAN_METRICS_PORT: String(ports.spanMetrics),
        JAEGER_OTLP: loopbackAddress(ports.jaegerOtlp),
        QUEUE_DIR: at('queue'),
        SPANS_DIR: at('archive'),
        ...(nodes !== undefined && { CALLS_LIMIT: String(callsLimitFor(nodes)) }),
      },
      readyUrl: url(ports.collectorHealth),
    },
    jaeger: {
      binary: 'jaeger',
      args: ['--config', shippedConfigs.jaeger],
      env: {
        GOMEMLIMIT: goMemory('JAEGER'),
        JAEGER_LISTEN: '127.0.0.1',
        JAEGER_OTLP_PORT: String(ports.jaegerOtlp),
        JAEGER_QUERY_PORT: String(ports.jaegerQuery),
        JAEGER_QUERY_GRPC_PORT: String(ports.jaegerQueryGrpc),
        JAEGER_HEALTH_PORT: String(ports.jaegerHealth),
        JAEGER_METRICS_PORT: String(ports.jaegerMetrics),
        JAEGER_UI_CONFIG: shippedConfigs.jaegerUi,
        BADGER_DIR: at('badger'),
        PROMETHEUS_URL: url(ports.prometheus),
      },
      readyUrl: `${url(ports.jaegerQuery)}/api/v3/services`,
    },
    prometheus: {
      binary: 'prometheus',
      args: [
        `--config.file=${prometheusConfigPath(directory)}`,
        `--storage.tsdb.path=${at('prometheus')}`,
        '--storage.tsdb.retention.time=15d',
        '--storage.tsdb.retention.size=1GB',
        '--enable-feature=exemplar-storage',
        `--web.listen-address=${loopbackAddress(ports.prometheus)}`,
      ],
      // Links of alerts lead to Jaeger as a browser reaches it.
      env: { JAEGER_URL: url(ports.jaegerQuery) },
      readyUrl: `${url(ports.prometheus)}/-/ready`,
    },
    alertmanager: {
      binary: 'alertmanager',
      args: [
        `--config.file=${shippedConfigs.alertmanager}`,
        `--storage.path=${at('alertmanager')}`,
        `--web.listen-address=${loopbackAddress(ports.alertmanager)}`,
        // Alone: no gossip among several.
        '--cluster.listen-address=',
      ],
      env: {},
      readyUrl: `${url(ports.alertmanager)}/-/ready`,
    },
  }
}

function loopbackAddress(port: number): string {
  return `127.0.0.1:${port}`
}

/** Root of the repository. */
const root = fileURLToPath(new URL('../../', import.meta.url))

/** The configuration files of the containers. */
export const shippedConfigs = {
  collector: join(root, 'otel/collector.yaml'),
  jaeger: join(root, 'jaeger/jaeger.yaml'),
  jaegerUi: join(root, 'jaeger/ui.json'),
  prometheus: join(root, 'otel/prometheus.yml'),
  rules: join(root, 'otel/rules'),
  alertmanager: join(root, 'otel/alertmanager.yml'),
} as const

/** Directory of the rules in a container. */
const containerRules = '/etc/prometheus/rules'

/** Local address of each address in the container network, both as `host:port`. */
export type Addresses = Readonly<Record<string, string>>

/**
 * Replaces every target in Prometheus's configuration by its local address; no variable can set these. Throws if an
 * address of the container network remains.
 */
export function withAddresses(config: string, addresses: Addresses, localRules: string): string {
  const replaced = Object.entries(addresses).reduce(
    (text, [there, localAddress]) => text.replaceAll(new RegExp(`\\b${there}\\b`, 'g'), localAddress),
    config.replaceAll(containerRules, localRules),
  )
  const lines = replaced.split('\n').filter((line) => !line.trimStart().startsWith('#'))
  const unknownTarget = lines.find((line) =>
    /\b(?:collector|jaeger|prometheus|alertmanager|localhost):\d+\b/.test(line),
  )
  if (unknownTarget !== undefined) throw new Error(`unknown target in otel/prometheus.yml: ${unknownTarget.trim()}`)
  return replaced
}

/** Path of Prometheus's configuration for a stack in `directory`. */
export function prometheusConfigPath(directory: string): string {
  return join(directory, 'prometheus.yml')
}

/** Writes Prometheus's configuration and rules into `directory`; `rules` replaces the shipped ones. */
export async function writePrometheusConfig(directory: string, addresses: Addresses, rules?: string): Promise<void> {
  const localRules = join(directory, 'rules')
  await mkdir(localRules, { recursive: true })
  if (rules === undefined) await cp(shippedConfigs.rules, localRules, { recursive: true })
  else await writeFile(join(localRules, 'mesh.yml'), rules)
  const config = withAddresses(await readFile(shippedConfigs.prometheus, 'utf8'), addresses, localRules)
  await writeFile(prometheusConfigPath(directory), config)
}
