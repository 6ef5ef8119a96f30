import { type Tell, tell } from '../catalogue/tell.ts'
import type { NetworkEvent, PathFailure } from './events.ts'
import { limits } from './limits.ts'
import type { Member } from './member.ts'
import { withoutPeer } from './multiaddr-text.ts'

type Paths = Extract<NetworkEvent, { readonly type: 'peer.paths' }>

/** An address at which another node answers is not this member's: that blocks nothing. */
const misplaced: readonly string[] = ['SelfDial', 'UnexpectedPeer']

/** Notes which addresses of a member answer, and emits what has changed: some are blocked, or work again. */
export function notePaths(member: Member, { worked, failed }: Paths): Tell[] {
  const { digest, blocked: before } = member
  const blocking = failed.filter(({ errorType }) => !misplaced.includes(errorType))
  const announced = digest.addresses.map(withoutPeer)
  const kept = before.filter((address) => announced.includes(address) && !worked.includes(address))
  const added = blocking.filter(({ address }) => !kept.includes(address))
  const restored = before.filter((address) => worked.includes(address))
  member.blocked = [...kept, ...added.map(({ address }) => address)].slice(0, limits.digestAddresses)
  const [first] = added
  const [reachedBy = ''] = worked
  return [
    ...(first === undefined ? [] : [tellBlocked(member, first, reachedBy)]),
    ...(restored.length === 0
      ? []
      : [tell('mesh.path.restored', { ...named(member), 'mesh.path.restored': restored })]),
  ]
}

function tellBlocked(member: Member, failure: PathFailure, reachedBy: string): Tell {
  return tell('mesh.path.blocked', {
    ...named(member),
    'mesh.path.unreachable': member.blocked,
    'mesh.path.reached_by': reachedBy,
    'mesh.dial.stage': failure.stage,
    'error.type': failure.errorType,
    'mesh.error.message': failure.errorMessage,
  })
}

function named({ digest }: Member) {
  return { 'mesh.peer.id': digest.peer, 'mesh.peer.name': digest.name }
}
