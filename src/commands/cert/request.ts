import * as z from 'zod'
import { roles } from '../../catalogue/roles.ts'
import { MeshError } from '../../core/errors.ts'
import { initRules } from '../../kit/init.ts'

/** What a node asks an authority to sign. It needs no signature: a credential serves its own peer id alone. */
const request = z.strictObject({
  peer: z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{40,64}$/),
  mesh: initRules.mesh.schema,
  roles: z.array(z.enum(roles)).min(1),
})

export type CredentialRequest = z.output<typeof request>

/** @throws MESH_CREDENTIAL_UNUSABLE */
export function parseRequest(text: string, file: string): CredentialRequest {
  const unusable = (cause: string) =>
    new MeshError('MESH_CREDENTIAL_UNUSABLE', {
      file,
      cause,
      cure: 'name a file with what tracemesh cert request printed',
    })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw unusable('it is no JSON')
  }
  const { success, data, error } = request.safeParse(value)
  if (success) return data
  throw unusable(`its ${error.issues[0]?.path.join('.') || 'content'} is not as expected`)
}
