import type { Rule } from '../rule.ts'
import { alone } from './alone.ts'
import { applicationCollection } from './application-collection.ts'
import { busyAlone } from './busy-alone.ts'
import { clockSkew } from './clock-skew.ts'
import { descriptorsLeft } from './descriptors-left.ts'
import { duplicateIdentity } from './duplicate-identity.ts'
import { externalGrowth } from './external-growth.ts'
import { gossipGhosts } from './gossip-ghosts.ts'
import { growthUnknown } from './growth-unknown.ts'
import { heapGrowth } from './heap-growth.ts'
import { incompleteShutdown } from './incomplete-shutdown.ts'
import { jobStopped } from './job-stopped.ts'
import { joinStorm } from './join-storm.ts'
import { limitsOff } from './limits-off.ts'
import { linkLeftOpen } from './link-left-open.ts'
import { listenersLeft } from './listeners-left.ts'
import { nativeGrowth } from './native-growth.ts'
import { oneWayGossip } from './one-way-gossip.ts'
import { ownedLeft } from './owned-left.ts'
import { peerStoreUnswept } from './peer-store-unswept.ts'
import { registryUnswept } from './registry-unswept.ts'
import { retryNotRearmed } from './retry-not-rearmed.ts'
import { retryStorm } from './retry-storm.ts'
import { seedDialledOnce } from './seed-dialled-once.ts'
import { seedUnreachable } from './seed-unreachable.ts'
import { selfSeed } from './self-seed.ts'
import { socketsLeft } from './sockets-left.ts'
import { starvedJudge } from './starved-judge.ts'
import { streamsLeft } from './streams-left.ts'
import { telemetryGrowth } from './telemetry-growth.ts'
import { telemetryLost } from './telemetry-lost.ts'
import { timersLeft } from './timers-left.ts'
import { topicsLeft } from './topics-left.ts'
import { unreachableAddress } from './unreachable-address.ts'
import { wrongIdentity } from './wrong-identity.ts'

/** Every rule of the doctor, by name. */
export const rules: readonly Rule[] = [
  alone,
  applicationCollection,
  busyAlone,
  clockSkew,
  descriptorsLeft,
  duplicateIdentity,
  externalGrowth,
  gossipGhosts,
  growthUnknown,
  heapGrowth,
  incompleteShutdown,
  jobStopped,
  joinStorm,
  limitsOff,
  linkLeftOpen,
  listenersLeft,
  nativeGrowth,
  oneWayGossip,
  ownedLeft,
  peerStoreUnswept,
  registryUnswept,
  retryNotRearmed,
  retryStorm,
  seedDialledOnce,
  seedUnreachable,
  selfSeed,
  socketsLeft,
  starvedJudge,
  streamsLeft,
  telemetryGrowth,
  telemetryLost,
  timersLeft,
  topicsLeft,
  unreachableAddress,
  wrongIdentity,
]
