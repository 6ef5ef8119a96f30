import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import { type GuardOptions, guardedApp } from '../admin/guarded-app.ts'
import { type Listener, listenHttp } from '../admin/listener.ts'
import { isMeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { whole } from '../kit/rules.ts'
import type { GrowthProcess } from './growth-answer.ts'
import type { HandleSource } from './handles.ts'
import type { ProfileKind } from './profiler.ts'

export interface PprofOptions extends GuardOptions {
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string
  /** Owns a running profile. */
  readonly owner: Owner
  /** What the node holds. */
  readonly handles: HandleSource
  /** Whose growth a probe measures. */
  readonly process: GrowthProcess
}

/** Longest and default profile, in seconds. */
const [maxSeconds, defaultSeconds] = [60, 10]
/** The same of a probe: growth takes two readings. */
const growthSeconds = { least: 2, default: 30 }
const maxSites = 50
/** Time to encode and send a profile, in milliseconds. Guess. */
const transferMs = 15_000

const rule = whole(1, maxSeconds, 'seconds')
const growthQuery = z.object({
  seconds: z.coerce.number().int().min(growthSeconds.least).max(maxSeconds).default(growthSeconds.default),
  sites: z.coerce.number().int().min(1).max(maxSites).default(10),
  counts: z.enum(['true', 'false']).default('false'),
})
const secondsRule = `seconds is ${rule.expected}, such as ?seconds=${defaultSeconds}`

const index = `profiles of this node, for go tool pprof:

/debug/pprof/profile?seconds=N   CPU time by stack
/debug/pprof/heap?seconds=N      heap: memory allocated in that time and still in use
/debug/pprof/allocs?seconds=N    all memory allocated in that time

for people and programs:

/debug/pprof/growth?seconds=N    functions whose allocations in that time stay and grow, as JSON; ?counts=true
                                 counts objects by constructor, too; ${growthSeconds.default} s by default
/debug/pprof/handles             open descriptors, timers and streams, and what the node owns; ?format=json

${secondsRule}; ${defaultSeconds} by default
`

/** Serves profiles of this process. Throws the errors of `listenHttp`. */
export function startPprof(options: PprofOptions): Promise<Listener> {
  const { listen, token, onError } = options
  const socketTimeoutMs = maxSeconds * 1_000 + transferMs
  const app = () => pprofApp(options)
  return listenHttp({ key: 'MESH_PPROF (--pprof)', listen, token, onError, app, socketTimeoutMs })
}

/** Serves profiles with the paths and the format of Go's net/http/pprof. Imports the profiler at the first request. */
async function pprofApp({ token, onError, owner, handles, process }: PprofOptions): Promise<FastifyInstance> {
  const { Profiler } = await import('./profiler.ts')
  const { handlesText, readHandles } = await import('./handles.ts')
  const profiler = new Profiler(owner)

  async function serveProfile(kind: ProfileKind, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const seconds = parseSeconds((request.query as Record<string, unknown>)['seconds'])
    if (seconds === undefined) return sendError(reply, 400, secondsRule)
    return whileConnected(request, reply, async (signal) => {
      const profile = await profiler.take(kind, seconds, signal)
      const file = { 'content-disposition': `attachment; filename="${kind}.pb.gz"`, 'cache-control': 'no-store' }
      return reply.headers(file).type('application/octet-stream').send(profile)
    })
  }

  async function serveGrowth(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { counts, ...asked } = growthQuery.parse(request.query)
    const { measureGrowth } = await import('./growth.ts')
    return whileConnected(request, reply, async (signal) => {
      const growth = await measureGrowth(owner, process, { ...asked, counts: counts === 'true' }, signal)
      return reply.header('cache-control', 'no-store').send(growth)
    })
  }

  return guardedApp({ token, onError }, (app) => {
    // A HEAD request must not take a profile.
    const withoutHead = { exposeHeadRoute: false }
    app.get('/debug/pprof/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(index))
    app.get('/debug/pprof/profile', withoutHead, (request, reply) => serveProfile('cpu', request, reply))
    app.get('/debug/pprof/heap', withoutHead, (request, reply) => serveProfile('heap', request, reply))
    app.get('/debug/pprof/allocs', withoutHead, (request, reply) => serveProfile('allocs', request, reply))
    app.get('/debug/pprof/growth', withoutHead, serveGrowth)
    app.get<{ Querystring: { format?: unknown } }>('/debug/pprof/handles', ({ query }, reply) => {
      const found = readHandles(handles)
      if (query.format === 'json') return reply.send(found)
      if (query.format !== undefined) return sendError(reply, 400, 'format is json, or absent for text')
      return reply.type('text/plain; charset=utf-8').send(handlesText(found))
    })
  })
}

/** A recording ends with the connection of its client. Another one that runs is answered with 409. */
async function whileConnected(
  request: FastifyRequest,
  reply: FastifyReply,
  record: (signal: AbortSignal) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const disconnected = new AbortController()
  reply.raw.once('close', () => disconnected.abort())
  // The connection may have closed before the listener was added.
  if (request.socket.destroyed) disconnected.abort()
  try {
    return await record(disconnected.signal)
  } catch (error) {
    if (isMeshError(error, 'MESH_PROFILE_RUNNING')) return sendError(reply, 409, error.message)
    if (disconnected.signal.aborted) return sendError(reply, 503, 'profile cancelled')
    if (isMeshError(error, 'MESH_OWNER_CLOSED')) return sendError(reply, 503, 'the node stops')
    throw error
  }
}

/** The header makes `go tool pprof` show the text, not only the status. */
function sendError(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).header('x-go-pprof', '1').type('text/plain; charset=utf-8').send(`${message}\n`)
}

/** Parses the duration of the query, in seconds; undefined if it is invalid. */
function parseSeconds(value: unknown): number | undefined {
  if (value === undefined) return defaultSeconds
  const { success, data } = rule.schema.safeParse(/^\d{1,3}$/.test(String(value)) ? Number(value) : undefined)
  return success ? data : undefined
}
