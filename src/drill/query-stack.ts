import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { MeshError } from '../core/errors.ts'

/** Timeout of one request, in milliseconds: during compaction Prometheus takes seconds. Guess. */
const answerMs = 10_000
const maxAttempts = 3
const retryMs = 500

/** An HTTP API of the stack. */
export interface StackEndpoint {
  /** Name in errors. */
  readonly what: string
  readonly url: string
  /** Flag that sets the URL. */
  readonly flag: string
}

/** Sends a GET request. Throws MESH_STACK_UNREACHABLE after three attempts without an answer of this shape. */
export async function queryStack<T>(endpoint: StackEndpoint, path: string, shape: z.ZodType<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await queryOnce(endpoint, path, shape)
    } catch (error) {
      // One failed request must not abort a drill of an hour.
      if (attempt >= maxAttempts) throw error
      await sleep(retryMs)
    }
  }
}

async function queryOnce<T>({ what, url, flag }: StackEndpoint, path: string, shape: z.ZodType<T>): Promise<T> {
  const unreachable = (cause: string) => new MeshError('MESH_STACK_UNREACHABLE', { what, url, cause, flag })
  let answer: Response
  let body: unknown
  try {
    answer = await fetch(`${url.replace(/\/+$/, '')}${path}`, { signal: AbortSignal.timeout(answerMs) })
    body = answer.ok ? await answer.json() : await answer.body?.cancel()
  } catch (error) {
    throw unreachable(reason(error))
  }
  if (!answer.ok) throw unreachable(`it answered ${answer.status}`)
  const parsed = shape.safeParse(body)
  if (parsed.success) return parsed.data
  throw unreachable(`unexpected answer: ${z.prettifyError(parsed.error).slice(0, 200)}`)
}

/** The message of `fetch` is only "fetch failed"; the reason is in its cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return 'code' in cause ? String(cause.code) : cause.message
}
