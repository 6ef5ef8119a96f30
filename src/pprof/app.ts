import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Guarded, guardedApp } from '../admin/guarded-app.ts'
import { isMeshError } from '../core/errors.ts'
import type { Owner } from '../core/owner.ts'
import { allowedSeconds, secondsOf, usualS } from './profile-request.ts'
import { type ProfileKind, Profiler } from './profiler.ts'

export interface PprofAppOptions extends Guarded {
  readonly owner: Owner
}

const index = `profiles of this node, for go tool pprof:

/debug/pprof/profile?seconds=N   CPU: where its time goes
/debug/pprof/heap?seconds=N      heap: what is allocated in the meantime, and lives on

${allowedSeconds}; ${usualS} when it is left out
`

/** Profiles under the paths, and in the format, of Go's net/http/pprof. */
export function pprofApp({ token, failed, owner }: PprofAppOptions): Promise<FastifyInstance> {
  const profiler = new Profiler(owner)

  async function answer(kind: ProfileKind, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const seconds = secondsOf((request.query as Record<string, unknown>)['seconds'])
    if (seconds === undefined) return refuse(reply, 400, allowedSeconds)
    const left = new AbortController()
    reply.raw.once('close', () => left.abort())
    // Whoever is gone by now has closed before somebody listened.
    if (request.socket.destroyed) left.abort()
    try {
      const profile = await profiler.take(kind, seconds, left.signal)
      const file = { 'content-disposition': `attachment; filename="${kind}.pb.gz"`, 'cache-control': 'no-store' }
      return reply.headers(file).type('application/octet-stream').send(profile)
    } catch (error) {
      if (isMeshError(error, 'MESH_PROFILE_RUNNING')) return refuse(reply, 409, error.message)
      if (left.signal.aborted) return refuse(reply, 503, 'the profile was ended')
      throw error
    }
  }

  return guardedApp({ token, failed }, (app) => {
    // To learn how long a profile would be, none is taken.
    const once = { exposeHeadRoute: false }
    app.get('/debug/pprof/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(index))
    app.get('/debug/pprof/profile', once, (request, reply) => answer('cpu', request, reply))
    app.get('/debug/pprof/heap', once, (request, reply) => answer('heap', request, reply))
  })
}

/** By this header `go tool pprof` shows the text, rather than the status alone. */
function refuse(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).header('x-go-pprof', '1').type('text/plain; charset=utf-8').send(`${message}\n`)
}
