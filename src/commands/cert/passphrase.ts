import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { MeshError } from '../../core/errors.ts'
import { readPrivateFile } from '../../node/private-file.ts'

/** Bytes that a file with a passphrase may have. */
const maxFileBytes = 4_096
/** With the key file at hand, shorter ones can be guessed. */
const minLength = 12

/** The passphrase of an authority's key: from a file, or from the terminal, which does not show it. */
export async function readPassphrase(file: string | undefined, question: string): Promise<string> {
  const text = file === undefined ? await ask(question) : await readFileText(file)
  if (text.length >= minLength) return text
  const source = file ?? 'the terminal'
  throw new MeshError('MESH_CONFIG_INVALID', {
    key: `the passphrase from ${source}`,
    given: `${text.length} characters long`,
    expected: `at least ${minLength} characters`,
  })
}

async function readFileText(file: string): Promise<string> {
  const bytes = await readPrivateFile(file, maxFileBytes, (fault) =>
    invalid(file, 'exposed' in fault ? `a file that other users can access (mode ${fault.exposed})` : fault.unreadable),
  )
  if (bytes === undefined) throw invalid(file, 'a file that does not exist')
  return Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '')
}

function invalid(file: string, cause: string): MeshError {
  const expected = 'a file with a passphrase, of mode 600'
  return new MeshError('MESH_CONFIG_INVALID', { key: '--passphrase-file', given: `${file}, ${cause}`, expected })
}

async function ask(question: string): Promise<string> {
  if (process.stdin.isTTY !== true)
    throw new MeshError('MESH_CONFIG_INVALID', {
      key: '--passphrase-file',
      given: 'absent, and there is no terminal to ask at',
      expected: 'a file with a passphrase, of mode 600',
    })
  process.stderr.write(`${question}: `)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    return await lines.question('')
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
