import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { MeshError } from '../../core/errors.ts'
import { readCredential } from '../../kit/credentials/credential-token.ts'
import { readAuthorities } from '../../node/credentials/authority-files.ts'
import { claimsOf, readTokens } from '../../node/credentials/credential-files.ts'
import type { FlagValues } from '../../node/flag-table.ts'
import { loadIdentity } from '../../node/identity.ts'
import { exitCodes, type Terminal } from '../command.ts'
import { certFlags } from './flags.ts'
import type { CredentialRequest } from './request.ts'
import { required } from './required.ts'

type RequestFlags = FlagValues<typeof certFlags.request>
type ShowFlags = FlagValues<typeof certFlags.show>

/** Prints the request of the node with this identity, which it creates if it does not exist. */
export async function printRequest(_: readonly string[], flags: RequestFlags, io: Terminal): Promise<number> {
  const table = certFlags.request
  const identity = required('identity', flags.identity, table.identity)
  const mesh = required('mesh', flags.mesh, table.mesh)
  const roles = required('roles', flags.roles, table.roles)
  const { privateKey } = await loadIdentity(identity)
  const request: CredentialRequest = { peer: peerIdFromPrivateKey(privateKey).toString(), mesh, roles }
  io.out(`${JSON.stringify(request)}\n`)
  return exitCodes.ok
}

/** Prints all credentials; exit 1 if one is no longer valid, or not signed by the authorities of `--ca`. */
export async function showAll(files: readonly string[], { ca }: ShowFlags, io: Terminal): Promise<number> {
  const authorities = ca === undefined ? undefined : await readAuthorities(ca)
  const isValid: boolean[] = []
  for (const file of files)
    for (const token of await readTokens(file)) {
      const claims = claimsOf(token)
      if (claims === undefined)
        throw new MeshError('MESH_CREDENTIAL_UNUSABLE', {
          file,
          cause: 'a line of it is no credential',
          cure: 'sign it again',
        })
      const time = timeFlaw(claims, Date.now())
      const read = authorities && (await readCredential(token, authorities))
      const signature = read === undefined ? undefined : 'flaw' in read ? read.flaw : 'verified'
      isValid.push(time === undefined && (signature === undefined || signature === 'verified'))
      const lines = [
        `${file}: ${claims.sub}`,
        `  mesh        ${claims.aud}`,
        `  roles       ${claims.roles.join(', ')}`,
        `  valid       ${isoOf(claims.nbf)} to ${isoOf(claims.exp)}${time === undefined ? '' : `, ${time}`}`,
        `  id          ${claims.jti}`,
        `  authority   ${claims.iss}${signature === undefined ? ', not verified: --ca names its public key' : `, ${signature}`}`,
      ]
      io.out(`${lines.join('\n')}\n`)
    }
  return isValid.every((one) => one) ? exitCodes.ok : exitCodes.failure
}

function timeFlaw({ nbf, exp }: { nbf: number; exp: number }, wallMs: number): string | undefined {
  if (wallMs < nbf * 1_000) return 'not valid yet'
  return wallMs >= exp * 1_000 ? 'expired' : undefined
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z')
}
