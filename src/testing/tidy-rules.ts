/** A source file: its path within `src`, with forward slashes, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** What breaks a rule, as text that names the line; empty when nothing does. */
export type Rule = (source: Source) => string[]

/** Where a collection may be held without an owner, and why. */
const collectionsAllowed: Readonly<Record<string, string>> = {
  'core/owned-map.ts': 'the owned collection itself',
  'core/owner.ts': 'what an owner holds, bounded by limits.held',
}

/** Files that are one table, read by looking up: longer than a file of code may be. */
const tables: Readonly<Record<string, string>> = { 'catalogue/spans.ts': 'every span of the mesh' }

const isTest = (path: string) => path.endsWith('.test.ts')
const isTestCode = (path: string) => isTest(path) || path.startsWith('testing/') || path.startsWith('prove/')

/** Lines of `text` that match, as `line: text`. */
function matches(text: string, pattern: RegExp): string[] {
  return text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${index + 1}: ${line.trim()}`] : []))
}

function imports(text: string): string[] {
  const names = /(?:^(?:import|export|\})[^'\n]*\bfrom |^import |\bimport\()'([^'\n]+)'/gm
  return Array.from(text.matchAll(names), ([, name]) => name ?? '')
}

/** Fields, and constants and variables of a module, live as long as their holder: only an owner makes such a map. */
export const ownedCollections: Rule = ({ path, text }) =>
  isTestCode(path) || path in collectionsAllowed
    ? []
    : matches(
        text,
        /^(?: {2}(?:(?:private|public|protected|static|readonly|override) )*#?\w+(?:: [^=]+)? = |(?:export )?(?:const|let) .*= |\s*this\.#?\w+ = )new (?:Weak)?(?:Map|Set)\b/,
      )

export const shortFiles: Rule = ({ path, text }) => {
  const lines = text.trimEnd().split('\n').length
  return isTest(path) || path in tables || lines <= 300 ? [] : [`${lines} lines, at most 300`]
}

/** Scripts within a test's strings may: what they write is what the test reads. */
export const noConsole: Rule = ({ path, text }) => (isTest(path) ? [] : matches(text, /\bconsole\.\w/))

export const leakChecked: Rule = ({ path, text }) =>
  isTest(path) && !/^leakCheck\(/m.test(text) ? ['a test file without leakCheck()'] : []

/** Core stands on itself and on the catalogue, which is data. */
export const pureCore: Rule = ({ path, text }) =>
  !path.startsWith('core/') || isTest(path)
    ? []
    : imports(text).filter((name) => !/^\.\/[\w-]+\.ts$|^\.\.\/catalogue\/[\w-]+\.ts$/.test(name))

export const withoutLibp2p: Rule = ({ path, text }) =>
  !/^(core|telemetry)\//.test(path) || isTest(path)
    ? []
    : imports(text).filter((name) => /^(libp2p|@libp2p\/|@chainsafe\/|@multiformats\/)/.test(name))

/** What has a clock asks that clock, or a test with another one would see two times. */
export const ownClock: Rule = ({ path, text }) =>
  !/^(core|kit)\//.test(path) || isTest(path) || path === 'kit/clock.ts'
    ? []
    : matches(text, /\b(?:Date|performance)\.now\(/)

/** Spelt so that this file does not break its own rule. */
const foreignWords = ['/wo' + 'rk/', '../sha' + 'red', 'cla' + 'ude', 'assis' + 'tant', 'registry.np' + 'mjs']

/** The product speaks of itself alone, not of where it was made. */
export const ownWords: Rule = ({ text }) => matches(text, new RegExp(foreignWords.join('|'), 'i'))

/** A test that is left out, or that leaves the others out, proves nothing. */
export const allTestsRun: Rule = ({ path, text }) =>
  isTest(path) ? matches(text, /\b(?:test|it|describe|suite)\.(?:only|skip|todo)\b|\b(?:only|skip): true/) : []

/** Codes of `errors` (the text of `core/errors.ts`) that no other source throws or asks for. */
export function unusedErrors(errors: string, others: readonly Source[]): string[] {
  const codes = Array.from(errors.matchAll(/^ {2}(MESH_[A-Z_]+):/gm), ([, code]) => code ?? '')
  return codes.filter((code) => !others.some(({ path, text }) => !isTest(path) && text.includes(`'${code}'`)))
}
