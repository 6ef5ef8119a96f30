import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { errorMessage, MeshError, quote } from '../../core/errors.ts'
import { systemClock } from '../../kit/clock.ts'
import { secret } from '../../node/config-schemas.ts'
import type { GrowthAnswer } from '../../pprof/growth-answer.ts'
import type { DoctorFlags } from './flags.ts'
import { type Probe, probeEffects } from './probe-spans.ts'

export interface ProbeOptions {
  /** Of the node’s profiles, such as `http://127.0.0.1:6060`. */
  readonly url: string
  readonly token: string | undefined
  readonly seconds: number
  readonly counts: boolean
  readonly signal: AbortSignal
}

/** Probes the node that the flags name, if they do. The token is in a file or in the environment, never in a message. */
export async function probeOf(
  flags: Pick<DoctorFlags, 'probe' | 'probe-for' | 'probeCounts' | 'token-file'>,
  signal: AbortSignal,
  log: (text: string) => void,
): Promise<Probe | undefined> {
  const { probe: url, 'probe-for': seconds, probeCounts: counts } = flags
  if (url === undefined) return undefined
  const token = await tokenOf(flags['token-file'])
  log(`probing ${url} for ${seconds} s`)
  const answer = await probeNode({ url, token, seconds, counts, signal })
  return { answer, endMs: Date.now(), effects: probeEffects(answer, systemClock.now()) }
}

const tokenVariable = 'MESH_ADMIN_TOKEN'

async function tokenOf(file: string | undefined): Promise<string | undefined> {
  const { expected, schema } = secret()
  const [key, given] = file === undefined ? [tokenVariable, process.env[tokenVariable]] : ['--token-file', file]
  if (given === undefined || given === '') return undefined
  const unusable = (what: string) => new MeshError('MESH_CONFIG_INVALID', { key, given: what, expected })
  const text = file === undefined ? given : await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) throw unusable(`${quote(given)}, which cannot be read`)
  const token = schema.safeParse(text.trim())
  if (!token.success) throw unusable(file === undefined ? 'another text' : `${quote(given)}, which has another text`)
  return token.data
}

/** Beyond the time of the probe: a busy node collects garbage slowly. */
const answerMs = 20_000
/** Fifty sites with long names. */
const maxAnswerBytes = 256 * 1_024

const count = z.number().int().nonnegative()
const halves = { middle: count, end: count }
const text = z.string().max(4_096)
const answerSchema = z.object({
  format: z.literal(1),
  process: z.object({ mesh: text, node: text, peer: text, version: text, pid: count }),
  seconds: z.number().positive(),
  total: z.object(halves),
  sites: z.array(z.object({ name: text, file: text, line: z.number().int(), ...halves })).max(50),
  counts: z
    .array(z.object({ name: text, ...halves }))
    .max(50)
    .optional(),
})

/**
 * Asks a node what grows in its heap.
 *
 * @throws MESH_PROBE_FAILED if the node refuses, is gone, is busy with another profile, or has no such answer
 */
export async function probeNode({ url, token, seconds, counts, signal }: ProbeOptions): Promise<GrowthAnswer> {
  const fail = (reason: string, cure: string, cause?: unknown) =>
    new MeshError('MESH_PROBE_FAILED', { url, reason, cure }, { cause })
  const limit = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000 + answerMs)])
  const query = new URLSearchParams({ seconds: String(seconds), counts: String(counts) })
  try {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    // A redirect could send the token elsewhere.
    const init: RequestInit = { headers, signal: limit, redirect: 'error' }
    const response = await fetch(`${url}/debug/pprof/growth?${query}`, init)
    const body = await bodyOf(response)
    if (response.status !== 200) throw fail(...refusalOf(response.status, body, token !== undefined))
    const answer = answerSchema.safeParse(parsed(body))
    if (answer.success) return answer.data as GrowthAnswer
    throw fail(`its answer is not that of a node: ${z.prettifyError(answer.error).split('\n')[0]}`, versions)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof MeshError) throw error
    if (limit.aborted)
      throw fail(`it did not answer within ${seconds + answerMs / 1_000} s`, 'look whether it hangs', error)
    throw fail(reasonOf(error), 'start the node with --pprof, or correct the address; it may have ended', error)
  }
}

const versions = 'name the address of --pprof, and use the same version of tracemesh for both'

function refusalOf(status: number, body: string, hasToken: boolean): readonly [reason: string, cure: string] {
  const said = /"message":"([^"]{1,200})"/.exec(body)?.[1] ?? body.trim().slice(0, 200)
  if (status === 401)
    return hasToken
      ? ['the node does not accept the token', 'use the token of its MESH_ADMIN_TOKEN']
      : ['the node requires a token', 'set MESH_ADMIN_TOKEN, or name a file with --token-file']
  if (status === 403) return [`the node refuses (${said})`, 'ask it on its own machine, or set a token at the node']
  if (status === 404)
    return [
      'it has no /debug/pprof/growth',
      'name the address of --pprof, not of --admin; a node older than that lacks it',
    ]
  if (status === 409) return [said, 'one profile runs at a time']
  return [`it answered ${status}: ${said}`, 'see the log of the node']
}

/** Without more than an answer has. */
async function bodyOf(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > maxAnswerBytes) break
  }
  return text
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** `fetch failed` has its reason within. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown }
  return errorMessage(cause ?? error)
}
