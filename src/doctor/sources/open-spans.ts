import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { MeshError } from '../../core/errors.ts'

/** Bytes of a chunk: a line or several. */
const chunkBytes = 262_144

const magic = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
} as const

/**
 * The bytes of a file of spans, decompressed if it is gzip or zstd, whatever its name. Also for a pipe, which can be read
 * once only, so that its compression is known by its name alone.
 *
 * @throws MESH_SPAN_FILE_UNREADABLE
 */
export async function openSpans(file: string, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
  const compression = await compressionOf(file)
  const raw = createReadStream(file, { highWaterMark: chunkBytes, signal })
  if (compression === undefined) return raw
  const inflate = compression === 'gzip' ? createGunzip({ chunkSize: chunkBytes }) : createZstd(file)
  // An error of the file has to reach the reader of the decompressed bytes.
  raw.on('error', (error) => inflate.destroy(error))
  return raw.pipe(inflate)
}

async function compressionOf(file: string): Promise<'gzip' | 'zstd' | undefined> {
  try {
    await using handle = await open(file)
    const stats = await handle.stat()
    if (stats.isDirectory()) throw unreadable(file, 'it is a directory within a directory')
    if (!stats.isFile()) return file.endsWith('.gz') ? 'gzip' : file.endsWith('.zst') ? 'zstd' : undefined
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    const begins = (bytes: readonly number[]) => bytes.every((byte, index) => buffer[index] === byte)
    return begins(magic.gzip) ? 'gzip' : begins(magic.zstd) ? 'zstd' : undefined
  } catch (error) {
    throw error instanceof MeshError ? error : unreadable(file, codeOf(error))
  }
}

/** Node.js 22.15 and newer have zstd. */
function createZstd(file: string) {
  if (typeof createZstdDecompress !== 'function')
    throw unreadable(file, `Node.js ${process.versions.node} has no zstd: decompress it with zstd -d`)
  return createZstdDecompress({ chunkSize: chunkBytes })
}

export function unreadable(file: string, cause: string): MeshError {
  return new MeshError('MESH_SPAN_FILE_UNREADABLE', { file, cause })
}

export function codeOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return code === 'ENOENT'
    ? 'there is no such file'
    : code === 'EACCES'
      ? 'permission denied'
      : String(message ?? error)
}
