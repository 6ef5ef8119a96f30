import { startMesh } from './fault-scenarios.ts'
import { firstFulfilled, linkMs, type Scenario, waitUntil } from './scenario.ts'

/** Loopback ports without a listener: TCP refuses at once, so that a campaign lasts only as long as its delays. */
const deadSeeds = Array.from({ length: 8 }, (_, index) => ['--seed', `/ip4/127.0.0.1/tcp/${index + 1}`]).flat()
/** The delays of a campaign add up to at most 151 s; ten refusals take little time. */
const giveupMs = 180_000
/** A staleness of 30 s, the sweep after it, and a margin for a busy machine. */
const expiryMs = 60_000
const victimCount = 4
/** A conflict is detected when each process is heard again after the other one, between growing delays. */
const conflictMs = 120_000

/** Scenarios without injected faults. */
export const meshScenarios: readonly Scenario[] = [
  {
    name: 'seeds',
    alerts: ['MeshSeedRetrying', 'MeshRetryStorm', 'MeshNodeAlone', 'MeshSeedGiveup'],
    description: 'six of seven nodes have eight seeds each, and no seed answers',
    size: 7,
    seeded: false,
    condition: (stage) => {
      const { mesh } = stage
      const alone = mesh.nodes.slice(1)
      return {
        prepare: () => startMesh(stage, '--seed', mesh.seed),
        cause: async (caused) => {
          await Promise.all(alone.map((node) => node.stop()))
          const retries = alone.map((node) => node.waitForLog('mesh.seed.retry', linkMs))
          const giveups = alone.map((node) => node.waitForLog('mesh.seed.giveup', giveupMs))
          const listening = mesh.start(alone, ...deadSeeds).then(() => caused('MeshNodeAlone'))
          const retrying = firstFulfilled(retries).then(() => {
            caused('MeshSeedRetrying')
            caused('MeshRetryStorm')
          })
          await Promise.all([listening, retrying, firstFulfilled(giveups).then(() => caused('MeshSeedGiveup'))])
        },
        heal: () => mesh.restart(alone, '--seed', mesh.seed),
      }
    },
  },
  {
    name: 'kill',
    alerts: ['MeshNodeSilent', 'MeshPrunedRate', 'MeshMembersExpiredInBulk'],
    description: 'four of six nodes are killed at once',
    size: 6,
    condition: (stage) => {
      const { mesh, clock, signal } = stage
      const victims = mesh.nodes.slice(-victimCount)
      const survivors = mesh.nodes.slice(0, -victimCount)
      return {
        prepare: async () => {
          await startMesh(stage)
          const complete = () => mesh.nodes.every(({ tally }) => tally.members >= mesh.nodes.length - 1)
          await waitUntil(complete, { step: 'discovery of all members', limitMs: linkMs, clock, signal })
        },
        cause: async (caused) => {
          const expired = survivors.map((node) => node.waitForLog('mesh.member.expired', expiryMs))
          await Promise.all(victims.map((node) => node.kill()))
          caused('MeshNodeSilent')
          await firstFulfilled(expired)
          caused('MeshPrunedRate')
          caused('MeshMembersExpiredInBulk')
        },
        heal: () => mesh.start(victims),
      }
    },
  },
  {
    name: 'identity',
    alerts: ['MeshIdentityConflict'],
    description: 'two of three nodes run with the same key file',
    size: 3,
    condition: (stage) => {
      const { mesh } = stage
      const [first, original, ...copies] = mesh.nodes
      return {
        prepare: () => startMesh(stage),
        cause: async (caused) => {
          if (first === undefined || original === undefined) return
          await Promise.all(copies.map((node) => node.stop()))
          const conflict = first.waitForLog('mesh.identity.conflict', conflictMs)
          await Promise.all([mesh.start(copies, '--identity', mesh.identityOf(original)), conflict])
          caused('MeshIdentityConflict')
        },
        heal: () => mesh.restart(copies),
      }
    },
  },
  {
    name: 'limit',
    alerts: ['MeshLimitReached'],
    description: 'four nodes dial a node with a limit of two peers',
    size: 5,
    condition: (stage) => {
      const { mesh } = stage
      const hub = mesh.nodes.slice(0, 1)
      return {
        prepare: () => startMesh(stage),
        cause: async (caused) => {
          await Promise.all(hub.map((node) => node.stop()))
          const rejections = hub.map((node) => node.waitForLog('mesh.limit.reached', linkMs))
          await Promise.all([mesh.start(hub, '--connections-high', '2', '--neighbours', '2'), ...rejections])
          caused('MeshLimitReached')
        },
        heal: () => mesh.restart(hub),
      }
    },
  },
]
