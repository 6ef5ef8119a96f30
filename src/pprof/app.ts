import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type GuardOptions, guardedApp } from '../admin/guarded-app.ts'
import { isMeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { defaultSeconds, parseSeconds, secondsRule } from './profile-request.ts'
import { type ProfileKind, Profiler } from './profiler.ts'

export interface PprofAppOptions extends GuardOptions {
  readonly owner: Owner
}

const index = `profiles of this node, for go tool pprof:

/debug/pprof/profile?seconds=N   CPU time by stack
/debug/pprof/heap?seconds=N      heap: memory allocated in that time and still in use

${secondsRule}; ${defaultSeconds} by default
`

/** Serves profiles with the paths and the format of Go's net/http/pprof. */
export function pprofApp({ token, onError: failed, owner }: PprofAppOptions): Promise<FastifyInstance> {
  const profiler = new Profiler(owner)

  async function serveProfile(kind: ProfileKind, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const seconds = parseSeconds((request.query as Record<string, unknown>)['seconds'])
    if (seconds === undefined) return sendError(reply, 400, secondsRule)
    const disconnected = new AbortController()
    reply.raw.once('close', () => disconnected.abort())
    // The connection may have closed before the listener was added.
    if (request.socket.destroyed) disconnected.abort()
    try {
      const profile = await profiler.take(kind, seconds, disconnected.signal)
      const file = { 'content-disposition': `attachment; filename="${kind}.pb.gz"`, 'cache-control': 'no-store' }
      return reply.headers(file).type('application/octet-stream').send(profile)
    } catch (error) {
      if (isMeshError(error, 'MESH_PROFILE_RUNNING')) return sendError(reply, 409, error.message)
      if (disconnected.signal.aborted) return sendError(reply, 503, 'profile cancelled')
      throw error
    }
  }

  return guardedApp({ token, onError: failed }, (app) => {
    // A HEAD request must not take a profile.
    const withoutHead = { exposeHeadRoute: false }
    app.get('/debug/pprof/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(index))
    app.get('/debug/pprof/profile', withoutHead, (request, reply) => serveProfile('cpu', request, reply))
    app.get('/debug/pprof/heap', withoutHead, (request, reply) => serveProfile('heap', request, reply))
  })
}

/** The header makes `go tool pprof` show the text, not only the status. */
function sendError(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).header('x-go-pprof', '1').type('text/plain; charset=utf-8').send(`${message}\n`)
}
