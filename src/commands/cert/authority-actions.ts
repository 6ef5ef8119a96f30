import { readFile } from 'node:fs/promises'
import { nextList, type RevocationList } from '../../core/credentials/revocations.ts'
import { errorCode, MeshError } from '../../core/errors.ts'
import type { SigningAuthority } from '../../kit/credentials/authority.ts'
import { readCredential, signCredential } from '../../kit/credentials/credential-token.ts'
import { readRevocations, signRevocations } from '../../kit/credentials/revocation-token.ts'
import { createAuthority, openAuthority, publicFileOf } from '../../node/credentials/authority-files.ts'
import { claimsOf, readTokens } from '../../node/credentials/credential-files.ts'
import { newId } from '../../node/credentials/trust-files.ts'
import type { FlagValues } from '../../node/flag-table.ts'
import { replaceFile } from '../../node/private-file.ts'
import { exitCodes, type Terminal } from '../command.ts'
import { certFlags } from './flags.ts'
import { readPassphrase } from './passphrase.ts'
import { parseRequest } from './request.ts'
import { required } from './required.ts'

type CaFlags = FlagValues<typeof certFlags.ca>
type SignFlags = FlagValues<typeof certFlags.sign>
type RevokeFlags = FlagValues<typeof certFlags.revoke>
type AuthorityFlags = Pick<SignFlags, 'ca' | 'passphrase-file'>

/** Mode of a file without a secret. */
const readable = 0o644
/** Begins a little in the past, for nodes whose clock is behind. */
const backdateMs = 60_000

export async function createKey([file = '']: readonly string[], flags: CaFlags, io: Terminal): Promise<number> {
  const passphrase = await readPassphrase(flags['passphrase-file'], 'New passphrase of the authority')
  const { id } = await createAuthority(file, passphrase)
  io.out(`authority ${id}\n  key         ${file}: keep it, and its passphrase, away from nodes\n`)
  io.out(`  public key  ${publicFileOf(file)}: for MESH_CA of every node\n`)
  return exitCodes.ok
}

export async function signFile([file = '']: readonly string[], flags: SignFlags, io: Terminal): Promise<number> {
  const request = parseRequest(await readText(file), file)
  const token = await signCredential({ ...request, ...timesOf(flags.for) }, await open(flags))
  return write([token], flags.out, io)
}

/** Signs what the file says again: the same peer, mesh and roles, another id and time. The old ones stay valid. */
export async function renewFile([file = '']: readonly string[], flags: SignFlags, io: Terminal): Promise<number> {
  const authority = await open(flags)
  const tokens = await Promise.all((await readTokens(file)).map((token) => renewed(token, file, authority, flags.for)))
  return write(tokens, flags.out, io)
}

async function renewed(token: string, file: string, authority: SigningAuthority, ms: number): Promise<string> {
  const read = await readCredential(token, [authority])
  if ('credential' in read) return signCredential({ ...read.credential, ...timesOf(ms) }, authority)
  const cure = 'renew it with the authority that has signed it, or sign a new request'
  throw new MeshError('MESH_CREDENTIAL_UNUSABLE', { file, cause: read.flaw, cure })
}

/** Writes the next list, with the credentials of these files. */
export async function revokeAll(files: readonly string[], flags: RevokeFlags, io: Terminal): Promise<number> {
  const list = required('list', flags.list, certFlags.revoke.list)
  const authority = await open(flags)
  const tokens = (await Promise.all(files.map(readTokens))).flat()
  const added = tokens.map((token) => {
    const { iss, jti, exp } = claimsOf(token) ?? { iss: '', jti: '', exp: 0 }
    if (iss === authority.id) return [jti, exp * 1_000] as const
    const cure = 'revoke it with the authority that has signed it'
    throw new MeshError('MESH_CREDENTIAL_UNUSABLE', {
      file: files.join(', '),
      cause: `it is of authority ${iss}`,
      cure,
    })
  })
  const next = nextList(await readList(list, authority), new Map(added), Date.now())
  await replaceFile(list, Buffer.from(`${await signRevocations(next, authority)}\n`), readable)
  io.out(`list ${next.number} of authority ${authority.id} with ${next.revoked.size} credentials: ${list}\n`)
  return exitCodes.ok
}

/** An empty list if there is no file yet. A list of another authority is not overwritten. */
async function readList(file: string, authority: SigningAuthority): Promise<RevocationList> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new MeshError('MESH_CREDENTIAL_UNUSABLE', { file, cause: errorCode(error), cure: 'name a readable file' })
  })
  if (text === undefined) return { authority: authority.id, number: 0, revoked: new Map() }
  const list = await readRevocations(text.trim(), [authority])
  if (list !== undefined) return list
  const cure = 'name the list of this authority, or a new file'
  throw new MeshError('MESH_CREDENTIAL_UNUSABLE', { file, cause: 'this authority has not signed it', cure })
}

async function open(flags: AuthorityFlags): Promise<SigningAuthority> {
  const file = required('ca', flags.ca, certFlags.sign.ca)
  return openAuthority(file, await readPassphrase(flags['passphrase-file'], `Passphrase of ${file}`))
}

function timesOf(ms: number) {
  const now = Date.now()
  return { notBeforeMs: now - backdateMs, expiresMs: now + ms, id: newId() }
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new MeshError('MESH_CREDENTIAL_UNUSABLE', { file, cause: errorCode(error), cure: 'name a readable file' })
  })
}

async function write(tokens: readonly string[], file: string | undefined, io: Terminal): Promise<number> {
  const text = `${tokens.join('\n')}\n`
  if (file === undefined) io.out(text)
  else await replaceFile(file, Buffer.from(text), readable)
  return exitCodes.ok
}
