import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** The entries of the package: what an application imports, and the declarations of it in `dist`. */
const entries = { tracemesh: 'kit/index.d.ts', 'tracemesh/libp2p': 'kit/libp2p.d.ts' }

const comment = /\/\*[\s\S]*?\*\//g
const reexport = /^export (?:type )?\{([^}]*)\} from ['"](\.[^'"]+)['"]/gm
const reexportOrImport = /^(?:export|import) (?:type )?\{([^}]*)\} from ['"](\.[^'"]+)['"]/gm
const declaration = /^export (?:declare )?(?:abstract )?(interface|class|type|function|const) (\w+)/gm

/**
 * The public API as text: each export of the package with its kind, and the members of each interface and class.
 *
 * @param dist Directory of the built package.
 */
export async function describeApi(dist: string): Promise<string> {
  const parts = await Promise.all(
    Object.entries(entries).map(async ([name, file]) => `${[name, ...(await exportsOf(dist, file))].join('\n')}\n`),
  )
  return parts.join('\n')
}

/** The exports of one declaration file, sorted by name, one or several lines each. */
async function exportsOf(dist: string, file: string): Promise<string[]> {
  const source = await readDeclarations(dist, file)
  const declared = Array.from(source.matchAll(declaration), ([, , name = '']) => name)
  const names = [...declared, ...reexportsOf(source).map(({ name }) => name)].sort()
  return Promise.all(names.map((name) => describe(dist, file, name)))
}

async function readDeclarations(dist: string, file: string): Promise<string> {
  return (await readFile(join(dist, file), 'utf8')).replaceAll(comment, '')
}

interface Reexport {
  readonly name: string
  /** Relative specifier of the file that it comes from. */
  readonly from: string
}

function reexportsOf(source: string, pattern = reexport): Reexport[] {
  return [...source.matchAll(pattern)].flatMap(([, names = '', from = '']) =>
    names.split(',').flatMap((text) => {
      const name = text.trim().replace(/^type /, '')
      return name === '' ? [] : [{ name, from }]
    }),
  )
}

/** Signature and members of an export, from the file that declares it. */
async function describe(dist: string, file: string, name: string): Promise<string> {
  const source = await readDeclarations(dist, file)
  const found = [...source.matchAll(declaration)].find(([, , one]) => one === name)
  if (found !== undefined) {
    const [signature = '', ...members] = statementsOf(source.slice(found.index))
    return [`  ${signature.replace(/^export (?:declare )?/, '')}`, ...members.map((member) => `    ${member}`)].join(
      '\n',
    )
  }
  const from = reexportsOf(source, reexportOrImport).find((one) => one.name === name)?.from
  if (from === undefined) throw new Error(`${file} has no declaration of ${name}`)
  return describe(dist, join(dirname(file), from.replace(/\.[jt]s$/, '.d.ts')), name)
}

/** The first declaration of a source: its head, and the members in its braces if it is an interface or a class. */
function statementsOf(source: string): string[] {
  const hasMembers = /^export (?:declare )?(?:abstract )?(?:interface|class)\b/.test(source)
  const statements: string[] = []
  let statement = ''
  let depth = 0
  for (const character of source) {
    if ('{([<'.includes(character)) depth++
    // The arrow of a function type closes nothing.
    if ('})]'.includes(character) || (character === '>' && !statement.endsWith('='))) depth--
    const isBodyStart = hasMembers && character === '{' && depth === 1 && statements.length === 0
    const isEnd = character === ';' && depth === (hasMembers ? 1 : 0)
    const isBodyEnd = hasMembers && character === '}' && depth === 0 && statements.length > 0
    if (isBodyStart || isEnd || isBodyEnd) {
      const text = statement.replaceAll(/\s+/g, ' ').trim()
      if (text !== '' && !text.startsWith('#')) statements.push(text)
      statement = ''
      if (isBodyEnd || (isEnd && !hasMembers)) break
    } else statement += character
  }
  return statements
}

// `npm run api` writes the public API of the package to `api.txt`, which a test compares with the build.
if (import.meta.main) {
  const { buildTestPackage } = await import('../testing/built-package.ts')
  await using built = await buildTestPackage()
  await writeFile(join(import.meta.dirname, 'api.txt'), await describeApi(join(built.directory, 'dist')))
}
