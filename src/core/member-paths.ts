import type { SpanEffect } from '../catalogue/span-effect.ts'
import { withoutPeer } from './address.ts'
import type { ConnectionLedger } from './connection-ledger.ts'
import type { DigestView } from './digest-view.ts'
import type { PathReport } from './events.ts'
import { limits } from './limits.ts'
import type { Member } from './member.ts'
import { emitMemberPathBlocked, emitMemberPathRestored } from './spans/member.ts'

/** Errors of an address that belongs to another node; they do not mean that this member's address is blocked. */
const otherNodeErrors: readonly string[] = ['SelfDial', 'UnexpectedPeer']

/**
 * Tracks which addresses of each member answer. The first dial may report this before the peer's first digest; the peer
 * record keeps that report until the digest arrives or the last connection closes.
 */
export class MemberPaths {
  readonly #view: DigestView
  readonly #ledger: ConnectionLedger

  constructor(view: DigestView, ledger: ConnectionLedger) {
    this.#view = view
    this.#ledger = ledger
  }

  onTried({ peer, worked, failed }: PathReport & { readonly peer: string }): SpanEffect[] {
    const member = this.#view.get(peer)
    if (member !== undefined) return notePaths(member, { worked, failed })
    const record = this.#ledger.get(peer)
    if (record !== undefined) record.paths = mergeReports(record.paths, { worked, failed })
    return []
  }

  /** The first digest of this peer arrived. */
  onMember(peer: string): SpanEffect[] {
    const [member, record] = [this.#view.get(peer), this.#ledger.get(peer)]
    const paths = record?.paths
    if (member === undefined || record === undefined || paths === undefined) return []
    record.paths = undefined
    return notePaths(member, paths)
  }
}

/** The later of two reports wins per address; limited to the addresses of one digest. */
function mergeReports(before: PathReport | undefined, { worked, failed }: PathReport): PathReport {
  const tried = [...worked, ...failed.map(({ address }) => address)]
  const isUntried = (address: string) => !tried.includes(address)
  return {
    worked: [...worked, ...(before?.worked ?? []).filter(isUntried)].slice(0, limits.digestAddresses),
    failed: [...failed, ...(before?.failed ?? []).filter(({ address }) => isUntried(address))].slice(
      0,
      limits.digestAddresses,
    ),
  }
}

/** Updates the blocked addresses of a member, and emits those that became blocked or work again. */
export function notePaths(member: Member, { worked, failed }: PathReport): SpanEffect[] {
  const { digest, blockedAddresses: before } = member
  const blocking = failed.filter(({ errorType }) => !otherNodeErrors.includes(errorType))
  const announced = digest.addresses.map(withoutPeer)
  const stillBlocked = before.filter((address) => announced.includes(address) && !worked.includes(address))
  const added = blocking.filter(({ address }) => !stillBlocked.includes(address))
  const restored = before.filter((address) => worked.includes(address))
  member.blockedAddresses = [...stillBlocked, ...added.map(({ address }) => address)].slice(0, limits.digestAddresses)
  const [first] = added
  const [workingAddress = ''] = worked
  return [
    ...(first === undefined ? [] : [emitMemberPathBlocked(member, first, workingAddress)]),
    ...(restored.length === 0 ? [] : [emitMemberPathRestored(member, restored)]),
  ]
}
