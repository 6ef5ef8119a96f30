import { DigestView } from '../../core/digest-view.ts'
import { OwnedMap } from '../../core/owned-map.ts'
import { Owner } from '../../core/owner.ts'
import { RateLimiter } from '../../kit/clock.ts'
import type { RunningNode } from '../../node/node.ts'
import type { Plant } from '../plant.ts'
import { replaceMethod } from './replace-method.ts'

/** How many entries, timers and resources a peer leaves behind. */
const perPeer = 8
const messagesPerSecond = 64

/** Faults in registries, owners and jobs of the kit. */
export const kitPlants = {
  /** The sweep for silent members never runs again. */
  'held-sweep': {
    patch: (isOn) => {
      replaceMethod(
        DigestView.prototype,
        'deadline',
        (original) =>
          function (this: DigestView) {
            return isOn() ? Number.POSITIVE_INFINITY : original.call(this)
          },
      )
      replaceMethod(
        DigestView.prototype,
        'handle',
        (original) =>
          function (this: DigestView, event, now) {
            return event.type === 'tick' && isOn() ? [] : original.call(this, event, now)
          },
      )
    },
  },
  /** The sweep runs, and departed members stay in their registry. */
  'kept-members': {
    patch: (isOn) =>
      replaceMethod(
        OwnedMap.prototype,
        'delete',
        (original) =>
          function (this: OwnedMap<unknown, object>, key, reason) {
            return this.spec.name === 'members' && reason === 'expired' && isOn()
              ? false
              : original.call(this, key, reason)
          },
      ),
  },
  /** A registry of the kit into which each peer only inserts. */
  'inserted-only': {
    patch: watchOwners,
    begin: () => {
      entries = root?.child('paths').map<string, object>({
        name: 'requests',
        capacity: 8_192,
        expiry: { event: 'the node stops' },
        release: () => {},
      })
    },
    join: (_, peer) => {
      for (let i = 0; i < perPeer; i++) entries?.set(`${peer} ${i} ${performance.now()}`, {}, performance.now())
    },
  },
  /** Resources that an owner adopts for each peer and never releases. */
  'adopted-only': {
    patch: watchOwners,
    join: (_, peer) => {
      owned ??= root?.child('paths')
      for (let i = 0; i < perPeer; i++) owned?.adopt(`path ${peer.slice(-4)} ${i}`, () => {})
    },
  },
  /** Every message has its span, and there are many: more spans than a slow receiver accepts. */
  'unsampled-messages': {
    patch: (isOn) =>
      replaceMethod(
        RateLimiter.prototype,
        'take',
        (original) =>
          function (this: RateLimiter, now) {
            return original.call(this, now) || isOn()
          },
      ),
    begin: () => {
      talkingSince = performance.now()
    },
    // As many as are due: a busy machine is late with a tick.
    tick: async ({ mesh }) => {
      const due = Math.floor(((performance.now() - talkingSince) * messagesPerSecond) / 1_000) - published
      published += due
      for (let i = 0; i < due; i++) await mesh.publish('news', new Uint8Array(8))
    },
  },
  /** A step of the stop fails. */
  'failing-stop': {
    begin: ({ mesh }) => {
      const stop = mesh.stop.bind(mesh)
      mesh.stop = async () => {
        await stop()
        throw new Error('the socket is in use')
      }
    },
  },
  /** The stop leaves everything as it is. */
  'skipped-stop': {
    begin: ({ mesh }: RunningNode) => {
      mesh.stop = async () => {}
    },
  },
} as const satisfies Readonly<Record<string, Plant>>

let talkingSince = 0
let published = 0
let root: Owner | undefined
let owned: Owner | undefined
let entries: OwnedMap<string, object> | undefined

/** Finds the owner of the running mesh: that of the registry of members. */
function watchOwners(): void {
  replaceMethod(
    Owner.prototype,
    'map',
    (original) =>
      function (this: Owner, spec: Parameters<Owner['map']>[0]) {
        if (spec.name === 'members') root = this
        return original.call(this, spec)
      } as Owner['map'],
  )
}
