import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { MeshError } from '../core/errors.ts'

/** For one answer, in milliseconds: a Prometheus that is compacting takes seconds. Guess. */
const answerMs = 10_000
const attempts = 3
const againMs = 500

/** One part of the stack that is asked over HTTP. */
export interface Asked {
  /** What it is called in errors. */
  readonly what: string
  readonly url: string
  /** Where an operator says where it is. */
  readonly flag: string
}

/** Its answer to a GET. Throws MESH_STACK_UNREACHABLE when there is none in three attempts, or none of this shape. */
export async function ask<T>(asked: Asked, path: string, shape: z.ZodType<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(asked, path, shape)
    } catch (error) {
      // A drill of an hour is not to be lost for one answer.
      if (attempt >= attempts) throw error
      await sleep(againMs)
    }
  }
}

async function askOnce<T>({ what, url, flag }: Asked, path: string, shape: z.ZodType<T>): Promise<T> {
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
  const read = shape.safeParse(body)
  if (read.success) return read.data
  throw unreachable(`its answer is not as expected: ${z.prettifyError(read.error).slice(0, 200)}`)
}

/** `fetch` says only "fetch failed"; why is in its cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return 'code' in cause ? String(cause.code) : cause.message
}
