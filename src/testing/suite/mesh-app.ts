import { type GossipSub, gossipsub } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { ComponentLogger } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { SpanEffect } from '../../catalogue/span-effect.ts'
import type { SpanName } from '../../catalogue/spans.ts'
import type { InternalInit } from '../../kit/init.ts'
import { libp2pSettings } from '../../kit/libp2p-settings.ts'
import { tracemeshInternal } from '../../kit/service.ts'
import { until } from '../../processes/waiting.ts'
import { recordingTelemetry } from '../otlp/recording-telemetry.ts'
import { listenOn } from './real-world.ts'

/** Settings of a libp2p on loopback, without services, not started. */
export async function loopbackSettings(listen = listenOn.tcp) {
  const privateKey = await generateKeyPair('Ed25519')
  const { services: _, ...settings } = libp2pSettings({ privateKey, listen: [listen] })
  return { ...settings, start: false }
}

export interface AppOptions {
  readonly gossip?: boolean
  readonly listen?: string
  readonly logger?: ComponentLogger
  /** Further services of the application. */
  readonly services?: Readonly<Record<string, (components: never) => unknown>>
}

export type App = Awaited<ReturnType<typeof createApp>>

/** An application with the mesh as one of its services, not started; its disposal stops it. */
export async function createApp(init: InternalInit = {}, options: AppOptions = {}) {
  const { gossip = true, listen = listenOn.tcp, logger, services } = options
  const { telemetry, spans } = recordingTelemetry()
  const libp2p = await createLibp2p({
    ...(await loopbackSettings(listen)),
    ...(logger && { logger }),
    services: {
      identify: identify(),
      tracemesh: tracemeshInternal({ telemetry, ...init }),
      ...(gossip && { pubsub: gossipsub() }),
      ...services,
    },
  })
  const mesh = libp2p.services.tracemesh
  return {
    libp2p,
    mesh,
    pubsub: (libp2p.services as { pubsub?: GossipSub }).pubsub as GossipSub,
    spansNamed: <N extends SpanName>(name: N) =>
      spans.filter((one): one is Extract<SpanEffect, { span: N }> => one.span === name),
    isLinkedTo: (other: { mesh: { peer: string } }) =>
      mesh.topology().peers.some(({ peer, kind }) => peer === other.mesh.peer && kind === 'member'),
    dial: (other: { libp2p: Pick<typeof libp2p, 'getMultiaddrs'> }) =>
      libp2p.dial(multiaddr(String(other.libp2p.getMultiaddrs()[0])), { force: true }),
    [Symbol.asyncDispose]: async () => libp2p.stop(),
  }
}

export async function startApp(init?: InternalInit, options?: AppOptions): Promise<App> {
  const app = await createApp(init, options)
  await app.libp2p.start()
  return app
}

export function areLinked(one: App, other: App): boolean {
  return one.isLinkedTo(other) && other.isLinkedTo(one)
}

/** Runs with started applications, of which the first is linked to all others, and stops them also after a failure. */
export async function withLinkedApps(
  inits: readonly InternalInit[],
  run: (...apps: [App, App, App]) => Promise<void>,
  options?: AppOptions,
): Promise<void> {
  const apps = (await Promise.all(inits.map((init) => startApp(init, options)))) as [App, App, App]
  const [first, ...others] = apps
  try {
    await Promise.all(others.map((other) => first.dial(other)))
    await until(() => others.every((other) => areLinked(first, other)), 30_000, 'links')
    await run(...apps)
  } finally {
    await Promise.all(apps.map(({ libp2p }) => libp2p.stop()))
  }
}
