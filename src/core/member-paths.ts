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

  onTried({ peer, ...report }: PathReport & { readonly peer: string }): SpanEffect[] {
    const member = this.#view.get(peer)
    if (member !== undefined) return notePaths(member, report)
    const record = this.#ledger.get(peer)
    if (record !== undefined) record.paths = mergeReports(record.paths, report)
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
function mergeReports(before: PathReport | undefined, { workingAddresses, failures }: PathReport): PathReport {
  const triedAddresses = [...workingAddresses, ...failures.map(({ address }) => address)]
  const isUntried = (address: string) => !triedAddresses.includes(address)
  const earlierAddresses = (before?.workingAddresses ?? []).filter(isUntried)
  const earlierFailures = (before?.failures ?? []).filter(({ address }) => isUntried(address))
  return {
    workingAddresses: [...workingAddresses, ...earlierAddresses].slice(0, limits.digestAddresses),
    failures: [...failures, ...earlierFailures].slice(0, limits.digestAddresses),
  }
}

/** Updates the blocked addresses of a member, and emits those that became blocked or work again. */
export function notePaths(member: Member, { workingAddresses, failures }: PathReport): SpanEffect[] {
  const before = member.blockedAddresses
  const announcedAddresses = member.digest.addresses.map(withoutPeer)
  const stillBlocked = before.filter(
    (address) => announcedAddresses.includes(address) && !workingAddresses.includes(address),
  )
  const newFailures = failures.filter(
    ({ address, errorType }) => !otherNodeErrors.includes(errorType) && !stillBlocked.includes(address),
  )
  const restoredAddresses = before.filter((address) => workingAddresses.includes(address))
  const newAddresses = newFailures.map(({ address }) => address)
  member.blockedAddresses = [...stillBlocked, ...newAddresses].slice(0, limits.digestAddresses)
  const [firstFailure] = newFailures
  const [workingAddress = ''] = workingAddresses
  return [
    ...(firstFailure === undefined ? [] : [emitMemberPathBlocked(member, firstFailure, workingAddress)]),
    ...(restoredAddresses.length === 0 ? [] : [emitMemberPathRestored(member, restoredAddresses)]),
  ]
}
