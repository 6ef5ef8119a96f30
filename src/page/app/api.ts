import { TraceReader } from '../../traces/reader.ts'

const timeoutMs = 10_000
const tokenKey = 'tracemesh.token'

/** The server wants a token, and has none or another. */
export class TokenRequiredError extends Error {}

/** For this tab only: it is forgotten with it. Returns what is wrong with a text that can be no token. */
export function storeToken(token: string): string | undefined {
  if (!/^[!-~]+$/.test(token)) return 'A token has printable characters alone, and no spaces.'
  sessionStorage.setItem(tokenKey, token)
  return undefined
}

/** `fetch` with the token, if one was given. */
export const authorizedFetch: typeof fetch = async (input, init) => {
  const token = sessionStorage.getItem(tokenKey)
  const headers = new Headers(init?.headers)
  if (token !== null) headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(input, { signal: AbortSignal.timeout(timeoutMs), ...init, headers })
  if (response.status === 401)
    throw new TokenRequiredError(
      token === null ? 'this server asks for a token' : 'this is not the token of this server',
    )
  return response
}

/** Throws what the server says is wrong, in words. */
export async function requestJson<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await authorizedFetch(path, init)
  const body: unknown = await response.json().catch(() => undefined)
  if (!response.ok) throw new Error(bodyMessage(body) ?? `${path} answered ${response.status}`)
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
