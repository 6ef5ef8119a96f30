import { TraceReader } from '../../traces/reader.ts'

const answerMs = 10_000
const tokenKey = 'tracemesh.token'

/** The server wants a token, and has none or another. */
export class TokenNeeded extends Error {}

/** For this tab only: it is forgotten with it. Returns what is wrong with a text that can be no token. */
export function keepToken(token: string): string | undefined {
  if (!/^[!-~]+$/.test(token)) return 'A token has printable characters alone, and no spaces.'
  sessionStorage.setItem(tokenKey, token)
  return undefined
}

/** `fetch` with the token, if one was given. */
export const ask: typeof fetch = async (input, init) => {
  const token = sessionStorage.getItem(tokenKey)
  const headers = new Headers(init?.headers)
  if (token !== null) headers.set('authorization', `Bearer ${token}`)
  const answer = await fetch(input, { signal: AbortSignal.timeout(answerMs), ...init, headers })
  if (answer.status === 401)
    throw new TokenNeeded(token === null ? 'this server asks for a token' : 'this is not the token of this server')
  return answer
}

/** Throws what the server says is wrong, in words. */
export async function askJson<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await ask(path, init)
  const body: unknown = await answer.json().catch(() => undefined)
  if (!answer.ok) throw new Error(messageOf(body) ?? `${path} answered ${answer.status}`)
  return body as T
}

export const reader = new TraceReader(location.origin, { fetch: ask })

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function messageOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('message' in body)) return undefined
  return typeof body.message === 'string' ? body.message : undefined
}
