import { posix } from 'node:path'

/** A source file: its path inside `src`, with forward slashes, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** Returns the violations in a file, each with its line number or its name. */
export type Rule = (source: Source) => string[]

/** Files that may have a collection without an owner, and why. */
const collectionsAllowed: Readonly<Record<string, string>> = {
  'core/owned-map.ts': 'the owned collection itself',
  'doctor/evidence/bounded-map.ts': 'bounded itself: it takes no key beyond its capacity',
  'doctor/evidence/seq-set.ts': 'bounded itself: 64 pages',
  'doctor/evidence/fold.ts': 'bounded itself: 512 processes',
  'core/owner.ts': 'the resources of an owner, bounded by limits.held',
  'kit/mesh-events.ts': 'weak: an entry lives as long as the listener of the application',
  'core/peer-records.ts': 'an index of the peers registry, bounded by it',
  'core/tally.ts': 'counts and times of what the limits bound: a name without one has no entry',
  'kit/limits/admission.ts': 'weak: an entry lives as long as the connection of libp2p',
  'kit/limits/buffer-budget.ts': 'the streams of libp2p, bounded by streamsPerPeer; each leaves it when it closes',
}

/** Files that consist of one lookup table: they may be longer than a file of code. */
const tables: Readonly<Record<string, string>> = {
  'catalogue/attributes.ts': 'every attribute of a span',
  'catalogue/spans.ts': 'every span of the mesh',
}

const isTest = (path: string) => path.endsWith('.test.ts')
const isTestCode = (path: string) => isTest(path) || path.startsWith('testing/') || path.startsWith('prove/')

/** Matching lines of `text`, as `line: text`. */
function matches(text: string, pattern: RegExp): string[] {
  return text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${index + 1}: ${line.trim()}`] : []))
}

function imports(text: string): string[] {
  const names = /(?:^(?:import|export|\})[^'\n]*\bfrom |^import |\bimport\()'([^'\n]+)'/gm
  return Array.from(text.matchAll(names), ([, name]) => name ?? '')
}

/** A field or module variable lives as long as its holder: only an owner may create such a map or set. */
export const ownedCollections: Rule = ({ path, text }) =>
  isTestCode(path) || path in collectionsAllowed
    ? []
    : matches(
        text,
        /^(?: {2}(?:(?:private|public|protected|static|readonly|override) )*#?\w+(?:: [^=]+)? = |(?:export )?(?:const|let) .*= |\s*this\.#?\w+ = )new (?:Weak)?(?:Map|Set)\b/,
      )

export const shortFiles: Rule = ({ path, text }) => {
  const lines = text.trimEnd().split('\n').length
  return isTest(path) || path in tables || lines <= 400 ? [] : [`${lines} lines, at most 400`]
}

/** Excludes comments, whose examples may print, and tests, whose strings contain scripts that print to the test. */
export const noConsole: Rule = ({ path, text }) => (isTest(path) ? [] : matches(text, /^(?!\s*\*).*\bconsole\.\w/))

export const leakChecked: Rule = ({ path, text }) =>
  isTest(path) && !/^leakCheck\(/m.test(text) ? ['a test file without leakCheck()'] : []

/** Core may import only itself and the catalogue, which is data. */
export const pureCore: Rule = ({ path, text }) =>
  !path.startsWith('core/') || isTest(path)
    ? []
    : imports(text).filter(
        (name) => !(name.startsWith('.') && /^(core|catalogue)\/[\w/-]+\.ts$/.test(resolve(path, name))),
      )

/** The path inside `src` of a relative import. */
const resolve = (path: string, name: string) => posix.join(posix.dirname(path), name)

/** Core builds its spans in `core/spans`, a function per span, so that a reader finds each span by its name. */
export const spansInOneFolder: Rule = ({ path, text }) =>
  !path.startsWith('core/') || path.startsWith('core/spans/') || isTest(path)
    ? []
    : Array.from(text.matchAll(/^import \{[^}]*\bemitSpan\b[^}]*\}/gm), ([line]) => line)

export const withoutLibp2p: Rule = ({ path, text }) =>
  !/^(core|telemetry|evidence)\//.test(path) || isTest(path)
    ? []
    : imports(text).filter((name) => /^(libp2p|@libp2p\/|@chainsafe\/|@multiformats\/)/.test(name))

/** Core and kit must read their injected clock: otherwise a test with another clock would see two times. */
export const ownClock: Rule = ({ path, text }) =>
  !/^(core|kit)\//.test(path) || isTest(path) || path === 'kit/clock.ts'
    ? []
    : matches(text, /\b(?:Date|performance)\.now\(/)

/** Split so that this file does not violate its own rule. */
const foreignWords = ['/wo' + 'rk/', '../sha' + 'red', 'cla' + 'ude', 'assis' + 'tant', 'registry.np' + 'mjs']

/** The product must not mention the environment that it was written in. */
export const ownWords: Rule = ({ text }) => matches(text, new RegExp(foreignWords.join('|'), 'i'))

/** Retired identifiers and words, in their case. The dots keep these lists from violating their own rule. */
const retiredNames =
  'te.ll|Te.ll|te.ller|Te.ller|to.ld|unto.ld|Link.Talk|Connection.Fact|Hand.Over|Held.Span|Par.cel|Weig.hed|Set.tled|' +
  'De.ed|leaves.By|place.Among|look.Ms|bad.End|full.Ms|peers.Max|gossip.Whole|Limit.Tells|Vi.ewTell|rude-.peer'

/** Retired phrases, in any case and across line breaks. */
const retiredPhrases =
  'what is. held|is. none|who.ever|Telling. spans|no receiver takes. spans|spans leave. again|all are. well|' +
  'used. wrongly|is no. setting of|nobody answers this. topic|an answer of the HTTP API. failed'

const retired = [anyOf(retiredNames, 'g'), anyOf(retiredPhrases, 'gi')]

function anyOf(dotted: string, flags: string): RegExp {
  const words = dotted.replaceAll('.', '').replaceAll(' ', String.raw`\s+(?:(?:\*|//|#)\s+)?`)
  return new RegExp(`\\b(?:${words})\\b`, flags)
}

/** A name or phrase that the project has replaced must not return. */
export const retiredWords: Rule = ({ text }) =>
  retired.flatMap((pattern) =>
    Array.from(text.matchAll(pattern), ({ 0: match, index }) => {
      const line = text.slice(0, index).split('\n').length
      return `${line}: ${match.replace(/\s+/g, ' ')}`
    }),
  )

/** Files that may skip a test, and when. */
const skipsAllowed: Readonly<Record<string, string>> = {
  'testing/requirement.ts': 'a requirement is missing',
  'prove/end-to-end.ts': 'a check is not shown',
}

/** A skipped test, or one that skips the others, proves nothing. */
export const allTestsRun: Rule = ({ path, text }) =>
  isTestCode(path) && !(path in skipsAllowed)
    ? matches(text, /\b(?:t|test|it|describe|suite)\.(?:only|skip|todo)\b|\b(?:only|skip): true/)
    : []

/** Unit tests that may wait for a fixed time, and why. */
const sleepsAllowed: Readonly<Record<string, string>> = {
  'bench/peer-process.test.ts': 'a publisher that is late',
  'kit/connections/closes.test.ts': 'real connections that nobody may close for a while',
  'kit/dials/dial-causes.test.ts': 'a poll',
  'kit/faults.test.ts': 'real timers that may not fire for a while',
  'kit/network-faults.test.ts': 'real connections on which nothing may happen for a while',
  'prove/end-to-end.test.ts': 'a proof that is interrupted while it waits',
}

/** A fixed wait makes a test slow on a fast machine, and unreliable on a slow one. */
export const noSleeps: Rule = ({ path, text }) =>
  !isTest(path) || /\.(?:real|browser)\.test\.ts$/.test(path) || path in sleepsAllowed
    ? []
    : matches(text, /\bsleep\(\w|\bsetTimeout\((?:resolve|done)\b/)

/** Files that start a process by themselves, and why. */
const spawnsAllowed: Readonly<Record<string, string>> = {
  'processes/subprocess.ts': 'the supervisor itself',
  'processes/watchdog.ts': 'a shell that outlives this process',
  'launcher.js': 'it replaces its own process, on older versions of Node.js too',
  'launcher.test.ts': 'the process of the launcher',
  'prove/main.ts': 'it gives its terminal to the process',
  'telemetry/log.test.ts': 'a reader that closes its pipe',
  'testing/run-tests.ts': 'it gives its terminal to the process',
}

/** Another way to start processes would need its own limits, errors and end. */
export const supervised: Rule = ({ path, text }) =>
  path in spawnsAllowed ? [] : matches(text, /^import \{.*\b(?:spawn|fork)\b.*\} from 'node:child_process'/)

/** Codes of `errors` (the text of `core/errors.ts`) that no other source uses. */
export function unusedErrors(errors: string, others: readonly Source[]): string[] {
  const codes = Array.from(errors.matchAll(/^ {2}(MESH_[A-Z_]+):/gm), ([, code]) => code ?? '')
  return codes.filter((code) => !others.some(({ path, text }) => !isTest(path) && text.includes(`'${code}'`)))
}
