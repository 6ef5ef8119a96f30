import { emitSpan, type SpanEffect } from '../../catalogue/span-effect.ts'
import type { CredentialCause, Proof } from '../credentials/credential.ts'
import type { Link } from '../link.ts'
import { connectionAttributes, underOpenedSpan } from './link.ts'

export function emitAdmissionRefused(peer: string, link: Link, cause: CredentialCause, count: number): SpanEffect {
  return emitSpan(
    'mesh.admission.refused',
    {
      ...connectionAttributes(peer, link),
      'mesh.connection.address': link.info.address,
      'mesh.admission.cause': cause,
      'mesh.admission.count': count,
    },
    underOpenedSpan(link),
  )
}

export function emitAdmissionGranted(peer: string, link: Link, proof: Proof | undefined): SpanEffect {
  const [credential] = proof?.credentials ?? []
  const attributes =
    credential === undefined
      ? { 'mesh.admission.cause': 'missing' as const }
      : {
          'mesh.admission.roles': credential.roles,
          'mesh.admission.authority': credential.authority,
          'mesh.admission.credential': credential.id,
          'mesh.admission.expires_s': Math.floor(credential.expiresMs / 1_000),
        }
  return emitSpan(
    'mesh.admission.granted',
    { ...connectionAttributes(peer, link), ...attributes },
    underOpenedSpan(link),
  )
}
