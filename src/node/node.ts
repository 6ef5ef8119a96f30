import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { FastifyInstance } from 'fastify'
import { createLibp2p } from 'libp2p'
import type { Logger } from 'pino'
import { Owner } from '../core/owner.ts'
import { countHandles } from '../evidence/process-handles.ts'
import { TimerReader } from '../evidence/timers.ts'
import { systemClock } from '../kit/clock.ts'
import { faultyLimits } from '../kit/faults.ts'
import { type InternalInit, meshesOf } from '../kit/init.ts'
import { libp2pSettings, meshGossip } from '../kit/libp2p-settings.ts'
import { connectionCaps } from '../kit/limits/resource-caps.ts'
import { serverLookup } from '../kit/multiaddrs.ts'
import { type TracemeshService, tracemeshInternal } from '../kit/service.ts'
import { nativeQuic } from '../kit/transports.ts'
import { version } from '../kit/version.ts'
import { missingSettings } from '../launcher.js'
import { createLogger } from '../telemetry/logger.ts'
import { nodeSdkProvider } from '../telemetry/node-sdk.ts'
import { startTelemetry, type Telemetry } from '../telemetry/telemetry.ts'
import type { NodeConfig } from './config.ts'
import { trustSource } from './credentials/trust-source.ts'
import { type Identity, loadIdentity } from './identity.ts'
import { toListenError, usableListenAddresses } from './listen.ts'
import { availableMemory, capsBytes, peerTopicBytes, quicWindow } from './memory.ts'
import { startStatusLines } from './status-lines.ts'
import { flushMs, stopLibp2p, stopNode } from './stop-node.ts'

export interface RunningNode {
  /** Peer id of this node. */
  readonly peer: string
  /** Multiaddrs that peers can dial. */
  readonly addresses: readonly string[]
  readonly adminUrl: string | undefined
  readonly pprofUrl: string | undefined
  readonly mesh: TracemeshService
  /** For code of this repository that needs more than the mesh. */
  readonly libp2p: NodeLibp2p
  readonly telemetry: Telemetry
  /**
   * Sends goodbyes and stops in order; `cause` is an attribute of the span. Rejects after all steps if one failed.
   * `withinMs`: time limit, 4 s by default; it shortens only the export.
   */
  stop(cause: string, withinMs?: number): Promise<void>
}

type NodeLibp2p = Awaited<ReturnType<typeof createNodeLibp2p>>

/** Options that only tests and proofs of this repository set. */
export type TestOptions = Pick<InternalInit, 'peerStoreSweepMs'>

/** Starts one node from its configuration: identity, telemetry, libp2p with the mesh service, HTTP API. */
export async function startNode(config: NodeConfig, options: TestOptions = {}): Promise<RunningNode> {
  const holder: { telemetry?: Telemetry } = {}
  const base = { mesh: config.mesh, node: config.name }
  const logger = createLogger({ level: config.logLevel, base, context: () => holder.telemetry?.window })
  const settings = missingSettings()
  logStartWarnings(logger, settings)
  const identity = await loadIdentity(config.identity)
  const telemetry = startNodeTelemetry(config, identity, logger)
  holder.telemetry = telemetry
  const owner = new Owner(config.name, systemClock)
  const startedAt = systemClock.now()
  const handlesBefore = countHandles()
  try {
    const libp2p = await createNodeLibp2p(config, identity, telemetry, { ...options, settings, logger })
    const { tracemesh: mesh } = libp2p.services
    const stopTime = splitStopTime(config.stopMs, config.pprof === 'off' ? 1 : 2)
    owner.adopt('libp2p', () => stopLibp2p(libp2p, stopTime.libp2p), stopTime.libp2p)
    await libp2p.start()
    for (const topic of config.topics) mesh.subscribe(topic, () => {})
    const adminUrl = await startAdminApi(config, mesh, owner, stopTime.http, logger)
    const pprofUrl = await startProfiling(config, mesh, owner, stopTime.http, logger)
    const addresses = mesh.addresses()
    logger.info({ peer: mesh.peer, addresses, admin: adminUrl, pprof: pprofUrl }, 'listening')
    startStatusLines({ mesh, owner, logger })
    const stop = (cause: string, withinMs = 4_000) =>
      stopNode({ owner, mesh, telemetry, cause, startedAt, handlesBefore, withinMs })
    return { peer: mesh.peer, addresses, adminUrl, pprofUrl, mesh, libp2p, telemetry, stop }
  } catch (error) {
    await owner.close()
    await telemetry.close(flushMs)
    throw toListenError(error, config.listen)
  }
}

function logStartWarnings(logger: Logger, settings: readonly string[]): void {
  const { warning } = nativeQuic()
  if (warning !== undefined) logger.warn(warning)
  if (settings.length > 0) logger.warn({ settings }, 'process started without the recommended settings')
}

function startNodeTelemetry(config: NodeConfig, { privateKey, incarnation }: Identity, logger: Logger): Telemetry {
  const peer = peerIdFromPrivateKey(privateKey).toString()
  const { mesh: meshId, name: nodeName, role } = config
  return startTelemetry({
    clock: systemClock,
    resource: { meshId, nodeName, role, incarnation, peer, version },
    endpoint: config.otlp,
    traceRoutine: config.traceRoutine,
    provider: nodeSdkProvider,
    limits: faultyLimits(config.faults),
    logger: (level, message, fields) => logger[level](fields, message),
  })
}

async function createNodeLibp2p(
  config: NodeConfig,
  { privateKey, incarnation }: Identity,
  telemetry: Telemetry,
  options: TestOptions & Required<Pick<InternalInit, 'settings' | 'logger'>>,
) {
  const memory = availableMemory()
  const { connections } = connectionCaps(config.connectionsHigh)
  const base = libp2pSettings({
    privateKey,
    listen: usableListenAddresses(config.listen),
    announce: config.announce,
    // The mesh refuses with a span; libp2p's limits of the same kind, which refuse silently, must not act before.
    maxConnections: connections,
    maxIncomingPendingConnections: connections,
    inboundConnectionThreshold: 2 * config.inboundRate,
    quicWindow: quicWindow(config.connectionsHigh, memory),
    agent: `tracemesh/${version}`,
  })
  const { dnsServers } = config
  const lookup = dnsServers.length === 0 ? {} : { lookup: serverLookup(dnsServers) }
  const parts = { ...options, incarnation, telemetry, timers: await TimerReader.open() }
  const admission = admissionOf(config, peerIdFromPrivateKey(privateKey).toString())
  const init = { ...config, ...lookup, ...parts, admission, capsBytes: capsBytes(config, memory) }
  const heapSites = config.heapSites === 'on'
  const service = tracemeshInternal({ ...init, closes: 'all', sweep: 'all', heapSites })
  // Other roles do not load the DHT.
  const dht =
    config.dhtProtocol === 'off'
      ? {}
      : await import('./dht-server.ts').then((it) => it.loadDhtServer(config.dhtProtocol))
  const pubsub = meshGossip({ maxTopicBytesPerPeer: peerTopicBytes(config.connectionsHigh, memory) })
  return createLibp2p({ ...base, start: false, services: { ...base.services, pubsub, ...dht, tracemesh: service } })
}

/** Undefined for an open mesh. */
function admissionOf(config: NodeConfig, peer: string): InternalInit['admission'] {
  const { admissionMode: mode, guests, role } = config
  if (mode === 'open') return undefined
  const holder = { peer, meshes: meshesOf(config), role }
  return { mode, guests, source: trustSource(config, holder, systemClock) }
}

/** Imports the HTTP API only when it is enabled: fastify takes 3 MB of a node’s memory. */
async function startAdminApi(
  config: NodeConfig,
  mesh: TracemeshService,
  owner: Owner,
  closeMs: number,
  logger: Logger,
): Promise<string | undefined> {
  if (config.admin === 'off') return undefined
  const { startAdmin } = await import('../admin/server.ts')
  const { adminSource } = await import('./admin-source.ts')
  const { admin: listen, adminToken: token } = config
  const onError = (error: unknown) => logger.error({ err: error }, 'HTTP request failed')
  const source = adminSource(config, mesh)
  const extend = async (app: FastifyInstance) => {
    if (config.role !== 'observer') return
    const { observerRoutes } = await import('./observer.ts')
    await observerRoutes(app, config, mesh, onError)
  }
  const running = await startAdmin({ listen, ...(token && { token }), source, onError, extend })
  owner.adopt('admin', () => running.close(), closeMs)
  return running.url
}

/** Imports the profile server only when it is enabled. */
async function startProfiling(
  { pprof: listen, adminToken: token, mesh: meshId, name: node }: NodeConfig,
  mesh: TracemeshService,
  owner: Owner,
  closeMs: number,
  logger: Logger,
): Promise<string | undefined> {
  if (listen === 'off') return undefined
  const { startPprof } = await import('../pprof/server.ts')
  const onError = (error: unknown) => logger.error({ err: error }, 'profile failed')
  const self = { mesh: meshId, node, peer: mesh.peer, version, pid: process.pid }
  const running = await startPprof({ listen, token, onError, owner, handles: mesh, process: self })
  owner.adopt('pprof', () => running.close(), closeMs)
  return running.url
}

/**
 * Splits the time of an ordered stop, in milliseconds: HTTP servers close at once, libp2p needs time for its goodbyes.
 * `http` applies to each server.
 */
function splitStopTime(stopMs: number, servers: number): { readonly http: number; readonly libp2p: number } {
  const http = Math.round(stopMs / 10)
  return { http, libp2p: stopMs - servers * http }
}
