import type { Rule } from '../rule.ts'
import { alone } from './alone.ts'
import { clockSkew } from './clock-skew.ts'
import { duplicateIdentity } from './duplicate-identity.ts'
import { joinStorm } from './join-storm.ts'
import { linkLeftOpen } from './link-left-open.ts'
import { oneWayGossip } from './one-way-gossip.ts'
import { retryNotRearmed } from './retry-not-rearmed.ts'
import { retryStorm } from './retry-storm.ts'
import { seedDialledOnce } from './seed-dialled-once.ts'
import { seedUnreachable } from './seed-unreachable.ts'
import { selfSeed } from './self-seed.ts'
import { starvedJudge } from './starved-judge.ts'
import { streamsLeft } from './streams-left.ts'
import { unreachableAddress } from './unreachable-address.ts'
import { wrongIdentity } from './wrong-identity.ts'

/** Every rule of the doctor. */
export const rules: readonly Rule[] = [
  alone,
  clockSkew,
  duplicateIdentity,
  joinStorm,
  linkLeftOpen,
  oneWayGossip,
  retryNotRearmed,
  retryStorm,
  seedDialledOnce,
  seedUnreachable,
  selfSeed,
  starvedJudge,
  streamsLeft,
  unreachableAddress,
  wrongIdentity,
]
