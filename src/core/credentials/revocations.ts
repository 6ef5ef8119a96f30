import { type Credential, clockToleranceMs } from './credential.ts'

/** What an authority has withdrawn so far. Each list replaces that of a lower number. */
export interface RevocationList {
  /** Key id of the authority that signed it. */
  readonly authority: string
  /** Rises with each list of the authority. */
  readonly number: number
  /** Ids of credentials, with the time in Unix milliseconds at which each expires anyway. */
  readonly revoked: ReadonlyMap<string, number>
}

/** The newest list of each authority that the node trusts. */
export class Revocations {
  #lists: readonly RevocationList[] = []

  /** Takes a list if it is newer than the one of this authority; the caller has verified its signature. */
  accept(list: RevocationList): boolean {
    const current = this.list(list.authority)
    if (current !== undefined && current.number >= list.number) return false
    this.#lists = [...this.#lists.filter((one) => one !== current), list]
    return true
  }

  /** Drops the lists of all authorities but these, so that there are never more lists than authorities. */
  retainAuthorities(ids: readonly string[]): void {
    this.#lists = this.#lists.filter(({ authority }) => ids.includes(authority))
  }

  isRevoked({ authority, id }: Credential): boolean {
    return this.list(authority)?.revoked.has(id) ?? false
  }

  list(authority: string): RevocationList | undefined {
    return this.#lists.find((one) => one.authority === authority)
  }
}

/** The next list of an authority: without what has expired by every clock that is tolerated, and with more ids. */
export function nextList(list: RevocationList, added: ReadonlyMap<string, number>, wallMs: number): RevocationList {
  const all = new Map([...list.revoked, ...added])
  const kept = [...all].filter(([, expiresMs]) => wallMs < expiresMs + 2 * clockToleranceMs)
  return { authority: list.authority, number: list.number + 1, revoked: new Map(kept) }
}
