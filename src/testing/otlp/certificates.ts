import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** PEM files: an authority, and its certificates for 127.0.0.1 and for a client. */
export interface Certificates extends AsyncDisposable {
  readonly authority: string
  readonly server: { readonly key: string; readonly certificate: string }
  readonly client: { readonly key: string; readonly certificate: string }
}

/** Creates certificates for one day with openssl; undefined where openssl is not installed. */
export async function makeCertificates(): Promise<Certificates | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'tracemesh-tls-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  const file = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => run('openssl', args, { cwd: directory })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const issue = async (name: string, alternative: string) => {
    const [keyFile, certificate] = [file(`${name}.key`), file(`${name}.pem`)]
    const by = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-addext', `subjectAltName=${alternative}`]
    await openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certificate, ...by)
    return { key: keyFile, certificate }
  }
  try {
    await openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', 'authority.key', '-out', 'authority.pem')
    return {
      authority: file('authority.pem'),
      server: await issue('server', 'IP:127.0.0.1'),
      client: await issue('client', 'DNS:client'),
      [Symbol.asyncDispose]: remove,
    }
  } catch (error) {
    await remove()
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
