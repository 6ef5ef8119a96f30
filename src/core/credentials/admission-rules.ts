import type { SpanEffect } from '../../catalogue/span-effect.ts'
import type { Link } from '../link.ts'
import type { OwnedMap } from '../owned-map.ts'
import type { Owner } from '../owner.ts'
import { emitAdmissionRefused } from '../spans/admission.ts'
import type { CredentialCause, Proof } from './credential.ts'

/** `permissive` admits peers without a credential, and refuses wrong ones: the way from an open mesh to a closed one. */
export const admissionModes = ['enforce', 'permissive', 'open'] as const
export type AdmissionMode = (typeof admissionModes)[number]

/** Peers of other software, which have no credential: none, all, or those with these ids. */
export type GuestRule = 'none' | 'any' | readonly string[]

export interface AdmissionOptions {
  readonly mode: AdmissionMode
  readonly guests: GuestRule
}

/** A peer that is refused again and again emits one span per minute and cause. */
const spanIntervalMs = 60_000
/** Peers and causes that are remembered for that: those of an attack push out each other, not a member. */
const maxRefusals = 1_024

/** Who is admitted, and the spans about those who are not. */
export class AdmissionRules {
  readonly #options: AdmissionOptions
  readonly #refusals: OwnedMap<string, { count: number; emittedAt: number }>

  constructor(owner: Owner, options: AdmissionOptions) {
    this.#options = options
    this.#refusals = owner.map({
      name: 'not_admitted',
      capacity: maxRefusals,
      expiry: { idleMs: spanIntervalMs },
      release: () => {},
    })
  }

  get isOpen(): boolean {
    return this.#options.mode === 'open'
  }

  /** Why the node refuses a peer that said hello; undefined if it admits it. */
  refusalOf(proof: Proof | undefined): CredentialCause | undefined {
    if (this.isOpen || proof?.credentials !== undefined) return undefined
    const cause = proof?.cause ?? 'missing'
    return cause === 'missing' && this.#options.mode === 'permissive' ? undefined : cause
  }

  /** Whether a peer that says no hello may stay. */
  allowsGuest(peer: string): boolean {
    const { guests } = this.#options
    if (this.isOpen || guests === 'any') return true
    return guests !== 'none' && guests.includes(peer)
  }

  /** At most one span per peer, cause and minute. */
  emitRefused(peer: string, link: Link, cause: CredentialCause, now: number): SpanEffect[] {
    this.#refusals.expire(now)
    const key = `${cause} ${peer}`
    const known = this.#refusals.get(key)
    const count = (known?.count ?? 0) + 1
    if (known !== undefined && now - known.emittedAt < spanIntervalMs) {
      known.count = count
      return []
    }
    this.#refusals.set(key, { count: 0, emittedAt: now }, now)
    return [emitAdmissionRefused(peer, link, cause, count)]
  }
}
