import { TraceReader } from '../../traces/reader.ts'

const timeoutMs = 10_000
const tokenKey = 'tracemesh.token'

/** The server requires a token and received none, or a wrong one. */
export class TokenRequiredError extends Error {}

/** Stores a token until this tab is closed. Returns the problem if the text cannot be a token. */
export function storeToken(token: string): string | undefined {
  if (!/^[!-~]+$/.test(token)) return 'A token has printable ASCII characters only, and no spaces.'
  sessionStorage.setItem(tokenKey, token)
  return undefined
}

/** `fetch` with the stored token, if there is one. */
export const authorizedFetch: typeof fetch = async (input, init) => {
  const token = sessionStorage.getItem(tokenKey)
  const headers = new Headers(init?.headers)
  if (token !== null) headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(input, { signal: AbortSignal.timeout(timeoutMs), ...init, headers })
  if (response.status === 401)
    throw new TokenRequiredError(token === null ? 'this server requires a token' : 'the server rejected this token')
  return response
}

/** Throws the error message of the server. */
export async function requestJson<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await authorizedFetch(path, init)
  const body: unknown = await response.json().catch(() => undefined)
  if (!response.ok) throw new Error(bodyMessage(body) ?? `${path} returned HTTP status ${response.status}`)
  return body as T
}

export const reader = new TraceReader(location.origin, { fetch: authorizedFetch })

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function bodyMessage(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('message' in body)) return undefined
  return typeof body.message === 'string' ? body.message : undefined
}
