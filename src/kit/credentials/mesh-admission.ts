import type { Libp2pEvents, TypedEventTarget } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import { type AdmissionOptions, AdmissionRules } from '../../core/credentials/admission-rules.ts'
import type { Claim, Proof } from '../../core/credentials/credential.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Digest, Frame, Hello } from '../../core/frames.ts'
import type { Clock } from '../../core/machine.ts'
import type { Owner } from '../../core/owner.ts'
import { CredentialChecker } from './credential-checker.ts'
import { readRevocations } from './revocation-token.ts'
import { StreamGate } from './stream-gate.ts'
import type { Trust, TrustSource } from './trust.ts'

export interface MeshAdmissionOptions extends AdmissionOptions {
  readonly owner: Owner
  readonly clock: Clock
  readonly registrar: Pick<Registrar, 'getHandler' | 'register'>
  readonly events: TypedEventTarget<Libp2pEvents>
  /** Meshes of this node. */
  readonly meshes: readonly string[]
  readonly freeProtocols: readonly string[]
  /** Most peers with a connection. */
  readonly capacity: number
  readonly source: TrustSource
  /** After each look at the trust; `hasChanged`: the own credentials have. */
  readonly onChecked: (hasChanged: boolean) => void
  /** Trust that could not be read: that of before stays. */
  readonly onError: (message: string) => void
}

/** Files change within this time: a revocation is to be in force everywhere within 5 s. */
const checkMs = 2_000

/** The closed mesh of one node: trusts authorities, checks what peers show, and opens the gate to those admitted. */
export class MeshAdmission {
  readonly rules: AdmissionRules
  readonly checker: CredentialChecker
  readonly #options: MeshAdmissionOptions
  readonly #gate: StreamGate
  #own: readonly string[] = []
  /** The list of revocations that was read last. */
  #list: string | undefined
  #lastError = ''

  constructor(options: MeshAdmissionOptions) {
    this.#options = options
    const { owner, clock } = options
    this.rules = new AdmissionRules(owner, options)
    this.checker = new CredentialChecker({ owner, clock })
    this.#gate = new StreamGate(options)
  }

  /**
   * Before libp2p listens.
   *
   * @throws an error of the source
   */
  async start(): Promise<void> {
    const { owner, source } = this.#options
    await this.#trust(await source.read())
    this.#gate.start()
    owner.every(checkMs, () => void this.#check())
  }

  /** Tokens that a hello shows. */
  get tokens(): readonly string[] {
    return this.#own
  }

  admit(peer: string): void {
    this.#gate.admit(peer)
  }

  /** What the credentials of a hello prove of its claims to the meshes of this node. */
  proofOfHello(peer: string, { meshes, role, credentials = [] }: Hello): Promise<Proof> {
    return this.checker.check(this.#claims(peer, meshes, role), credentials)
  }

  /** What the credentials of a `hello` or `credentials` frame prove; undefined for other frames. */
  proofOfFrame(peer: string, frame: Frame, hello: Hello | undefined): Promise<Proof> | undefined {
    if (frame.type === 'hello') return this.proofOfHello(peer, frame.hello)
    if (frame.type !== 'credentials' || hello === undefined) return undefined
    return this.proofOfHello(peer, { ...hello, credentials: frame.credentials })
  }

  /** Whether the credentials in a digest over gossip prove what it claims; its signature has proved the peer. */
  async admitsSigner(
    digest: Pick<Digest, 'peer' | 'meshes' | 'role'>,
    tokens: readonly string[] = [],
  ): Promise<boolean> {
    const proof = await this.checker.check(this.#claims(digest.peer, digest.meshes, digest.role), tokens)
    return this.rules.refusalOf(proof) === undefined
  }

  #claims(peer: string, meshes: readonly string[], role: Hello['role']): Claim[] {
    const common = this.#options.meshes.filter((mesh) => meshes.includes(mesh))
    return common.map((mesh) => ({ peer, mesh, role }))
  }

  async #check(): Promise<void> {
    const { source, onChecked, onError, owner } = this.#options
    try {
      const hasChanged = await this.#trust(await source.read())
      this.#lastError = ''
      if (!owner.closed) onChecked(hasChanged)
    } catch (error) {
      const message = errorMessage(error)
      if (message !== this.#lastError) onError(message)
      this.#lastError = message
      if (!owner.closed) onChecked(false)
    }
  }

  /** Whether the own credentials have changed. */
  async #trust({ authorities, own, revocations }: Trust): Promise<boolean> {
    this.checker.trust(authorities)
    if (revocations !== undefined && revocations !== this.#list) {
      const list = await readRevocations(revocations, authorities)
      if (list !== undefined) this.checker.revocations.accept(list)
      this.#list = revocations
    }
    const hasChanged = own.join(' ') !== this.#own.join(' ')
    this.#own = own
    return hasChanged
  }
}
