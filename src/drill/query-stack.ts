import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { MeshError } from '../core/errors.ts'

/** For one answer, in milliseconds: a Prometheus that is compacting takes seconds. Guess. */
const answerMs = 10_000
const maxAttempts = 3
const retryMs = 500

/** One part of the stack that is asked over HTTP. */
export interface StackEndpoint {
  /** What it is called in errors. */
  readonly what: string
  readonly url: string
  /** Where an operator says where it is. */
  readonly flag: string
}

/** Its answer to a GET. Throws MESH_STACK_UNREACHABLE when there is none in three attempts, or none of this shape. */
export async function queryStack<T>(endpoint: StackEndpoint, path: string, shape: z.ZodType<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await queryOnce(endpoint, path, shape)
    } catch (error) {
      // A drill of an hour is not to be lost for one answer.
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
  throw unreachable(`its answer is not as expected: ${z.prettifyError(parsed.error).slice(0, 200)}`)
}

/** `fetch` says only "fetch failed"; why is in its cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return 'code' in cause ? String(cause.code) : cause.message
}
