import { access, chown, cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Binary, stackDirectory } from '../../stack/binaries.ts'
import { ServiceProcess } from '../../stack/service-process.ts'
import { isOnPath } from '../requirement.ts'

export interface OpenSearchNode {
  readonly name: string
  /** An address of loopback of its own: every node has the usual ports. */
  readonly address: string
  /** Of `opensearch.yml`. */
  readonly settings: Readonly<Record<string, string>>
  readonly javaOptions: readonly string[]
  /** Names that it can resolve, as in `/etc/hosts`. */
  readonly hosts: string
  readonly onChange: () => void
}

/** OpenSearch refuses to run as root; this is the user of its image. */
const userId = 1_000
const readyMs = 120_000

/** Where `deploy/offline.sh opensearch` has put OpenSearch, or what is missing. */
export async function openSearchHome(): Promise<Binary> {
  if (!isOnPath('java')) return { missing: 'java is not on the PATH; OpenSearch needs Java 17' }
  const path = join(stackDirectory(), 'opensearch')
  try {
    await access(join(path, 'lib'))
    return { path }
  } catch {
    return { missing: `OpenSearch is not in ${path}; deploy/offline.sh opensearch fetches it with Maven` }
  }
}

/** Copies OpenSearch to where its user can read it: the cache may be in the home directory of root. */
export async function copyOpenSearch(home: string, directory: string): Promise<string> {
  const copy = join(directory, 'opensearch')
  await cp(home, copy, { recursive: true })
  return copy
}

/** Prepares a node with its data in `directory`, which its user can reach. */
export async function openSearchNode(home: string, directory: string, node: OpenSearchNode): Promise<ServiceProcess> {
  const { name, address, settings, javaOptions, hosts, onChange } = node
  const at = (path: string) => join(directory, name, path)
  for (const path of ['', 'config', 'data', 'logs', 'tmp']) await own(at(path))
  const logging = 'appender.out.type=Console\nappender.out.name=out\n'
  const rootLogger = 'rootLogger.level=warn\nrootLogger.appenderRef.out.ref=out\n'
  await writeFile(at('config/log4j2.properties'), logging + rootLogger)
  await writeFile(at('config/hosts'), hosts)
  // OpenSearch reads JSON, which is YAML.
  const all = {
    ...settings,
    'node.name': name,
    'network.host': address,
    'path.data': at('data'),
    'path.logs': at('logs'),
  }
  await writeFile(at('config/opensearch.yml'), JSON.stringify(all, undefined, 1))
  const java = [
    'java',
    ...javaOptions,
    // Its security manager lets it read nothing outside of its own directories.
    `-Djdk.net.hosts.file=${at('config/hosts')}`,
    '-XX:MaxDirectMemorySize=512m',
    '-Djava.security.manager=allow',
    '-Dio.netty.noUnsafe=true',
    `-Djava.io.tmpdir=${at('tmp')}`,
    `-Dopensearch.path.home=${home}`,
    `-Dopensearch.path.conf=${at('config')}`,
    '-Dopensearch.distribution.type=tar',
    '-classpath',
    join(home, 'lib/*'),
    'org.opensearch.bootstrap.OpenSearch',
  ]
  const asUser = ['setpriv', `--reuid=${userId}`, `--regid=${userId}`, '--clear-groups']
  const [binary = '', ...args] = process.getuid?.() === 0 ? [...asUser, ...java] : java
  const env = { PATH: process.env['PATH'] ?? '', HOME: at('tmp') }
  const readyUrl = `http://${address}:9200/_cluster/health?local=true`
  return new ServiceProcess({ name, binary, args, env, readyUrl, readyMs, onChange })
}

async function own(path: string): Promise<void> {
  await mkdir(path, { recursive: true })
  if (process.getuid?.() === 0) await chown(path, userId, userId)
}
