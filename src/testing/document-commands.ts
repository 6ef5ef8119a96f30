import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { benchNames } from '../bench/options.ts'
import { alertNames } from '../catalogue/alerts/alerts.ts'
import { certFlags } from '../commands/cert/flags.ts'
import { addFlags, command, rawFlags } from '../commands/command.ts'
import { doctorFlags } from '../commands/doctor/flags.ts'
import { flagsOf } from '../commands/node-command.ts'
import { secretFlags } from '../commands/secret-command.ts'
import { errorMessage } from '../core/errors.ts'
import { drillFlags } from '../drill/flags.ts'
import { labFlags } from '../lab/flags.ts'
import { readConfig } from '../node/config.ts'
import { type FlagTable, readFlags } from '../node/flag-table.ts'
import { proofNames } from '../prove/proofs.ts'
import { soakFlags } from '../soak/flags.ts'
import { stackFlags } from '../stack/main.ts'
import { storeFlags } from '../store/flags.ts'
import { scenes } from '../zoo/scenes.ts'

export const root = resolve(import.meta.dirname, '../..')

/** Programs with which a command in the text of a document begins. */
const program = /^(?:npm|npx|tracemesh|node|git|docker|kubectl|go|curl|apt-get|deploy\/\S+\.sh)(?: |$)/

/** All documents. */
export const documents = globSync(['*.md', '{docs,deploy,src}/**/*.md', '{otel,jaeger,examples}/*.md'], { cwd: root })
/** Those that describe the present: not the changelog and the decisions. */
export const currentDocuments = documents.filter((path) => !/^(?:CHANGELOG|docs\/decisions)/.test(path))

/** The commands of all current documents. */
export function commandsOfDocuments(): { readonly document: string; readonly command: string }[] {
  return currentDocuments.flatMap((document) =>
    commandsIn(readFileSync(join(root, document), 'utf8')).map((command) => ({ document, command })),
  )
}

/** Languages of blocks that are no commands; a block without a language is one of a shell. */
const otherLanguages = ['mermaid', 'text', 'ts', 'yaml']

/**
 * The commands of a document: those of its blocks, without comments, and those of quotes and indented lines. A quote of
 * one word (`docker`, `node`) is a name unless it is a script.
 */
export function commandsIn(markdown: string): string[] {
  const fence = /^ *```(.*)\n([\s\S]*?)^ *```$/gm
  const blocks = Array.from(markdown.matchAll(fence), ([, language = '', text = '']) =>
    otherLanguages.includes(language) ? '' : text,
  )
  const prose = markdown.replace(fence, '')
  const quotes = Array.from(prose.matchAll(/`([^`\n]+)`|^ {4}(\S.*)$/gm), ([, quote, line]) => quote ?? line ?? '')
  const quoted = quotes.filter((text) => program.test(text) && /[ /]/.test(text))
  return [...blocks.flatMap(linesOf), ...quoted]
}

/** The commands of a shell text. A quoted argument may contain line ends, `#` and `&`. */
function linesOf(text: string): string[] {
  const part = /'[^']*'|"[^"]*"|\s#.*|&&?|\n|[^'"\s#&]+|./g
  const commands = ['']
  for (const [token] of text.matchAll(part)) {
    if (/^(?:&&?|\n)$/.test(token)) commands.push('')
    else if (!/^\s#/.test(token)) commands[commands.length - 1] += token
  }
  return commands.map((command) => command.trim()).filter((command) => command !== '')
}

/** How the tests treat the commands that match `pattern`. */
interface Kind {
  readonly pattern: RegExp
  /** The command as a test runs it: in the clone, to its end, with exit code 0. */
  readonly run?: (command: string) => string
  /** Why no test runs it. */
  readonly reason?: string
  /** What is wrong with it, without running it. */
  readonly problem?: (words: readonly string[]) => string | undefined
}

/** The first kind that matches a command applies. */
const kinds: readonly Kind[] = [
  { pattern: /^npm run prove -- list$/, run: (command) => command },
  // Tests that run at the same time read the files that it writes.
  { pattern: /^npm run generate$/, run: (command) => `${command} -- --check` },
  {
    pattern: /^(?:npx )?tracemesh (?:\w+ --help|spans)$/,
    run: (command) => command.replace(/^(?:npx )?tracemesh/, 'node src/bin.js'),
  },
  { pattern: /^(?:npx )?tracemesh(?: |$)/, reason: 'runs until someone stops it', problem: commandProblem },
  {
    pattern: /^node src\/bin\.js \w/,
    reason: 'runs until someone stops it',
    problem: (words) => commandProblem(['tracemesh', ...words.slice(2)]),
  },
  { pattern: /^node src\/bin\.js$/, reason: 'prints the help, with exit code 2' },
  { pattern: /^npm (?:ci|install)\b/, reason: 'installs packages; the proofs fresh-clone and readme-app run it' },
  { pattern: /^npm (?:run|start|test)\b/, reason: 'takes minutes, or is this test run', problem: scriptProblem },
  { pattern: /^node (?:src|examples)\/\S+/, reason: 'other tests run the programs of the clone', problem: fileProblem },
  { pattern: /^deploy\/\S+\.sh\b/, reason: 'needs Docker, or Go and minutes', problem: deployProblem },
  { pattern: /^docker (?:exec|build|kill|stop)\b/, reason: 'needs Docker', problem: dockerProblem },
  { pattern: /^kubectl\b/, reason: 'needs a cluster', problem: fileProblem },
  { pattern: /^apt-get install /, reason: 'changes the machine' },
  { pattern: /^(?:go tool pprof|curl)\b/, reason: 'a test fetches the profiles of the documents itself' },
]

function kindOf(command: string): Kind | undefined {
  return kinds.find(({ pattern }) => pattern.test(command))
}

/** The commands that a test runs, as it runs them. */
export function runnable(commands: readonly string[]): string[] {
  return [...new Set(commands.flatMap((command) => kindOf(command)?.run?.(command) ?? []))]
}

/** What is wrong with a command, as far as that shows without running it. */
export function problemOf(command: string): string | undefined {
  const kind = kindOf(command)
  if (kind === undefined) return 'of no kind that src/testing/document-commands.ts knows'
  try {
    return kind.problem?.(command.split(/\s+/))
  } catch (error) {
    return errorMessage(error)
  }
}

const isPlaceholder = (word: string) => /^[A-Z]+$/.test(word)

function unknown(what: string, words: readonly string[], known: readonly string[]): string | undefined {
  const word = words.find((one) => !known.includes(one) && !isPlaceholder(one))
  return word === undefined ? undefined : `unknown ${what} ${word}`
}

const flagTables: Readonly<Record<string, FlagTable>> = {
  lab: labFlags,
  store: storeFlags,
  doctor: doctorFlags,
  drill: drillFlags,
  soak: soakFlags,
  spans: {},
  secret: secretFlags,
}

/** `tracemesh COMMAND ...`: the command and its flags exist, and their values are allowed. */
function commandProblem(words: readonly string[]): string | undefined {
  const [name = 'node', ...args] = words.slice(words.indexOf('tracemesh') + 1)
  const io = { out: () => {}, err: () => {} }
  if (name === 'zoo') return zooProblem(args)
  if (name === 'cert') return certProblem(args)
  if (name === 'node') return readConfig({}, flagsOf(args, io)).problems[0]?.message
  const table = flagTables[name]
  if (table === undefined) return `unknown command ${name}`
  const program = command(`tracemesh ${name}`, io)
  if (name !== 'store') program.option('--json')
  if (name === 'drill') program.argument('[alert...]')
  if (name === 'doctor') program.option('--file <path...>').option('--watch').option('--probe-counts')
  parseFlags(program, table, args)
  return unknown('alert', program.args, [...alertNames, 'all', 'list'])
}

/** `tracemesh cert sign FILE --for 90d`, or another of its commands. */
function certProblem([verb = '', ...args]: readonly string[]): string | undefined {
  const table = Object.entries(certFlags).find(([name]) => name === verb)?.[1]
  if (table === undefined) return unknown('command of cert', [verb], Object.keys(certFlags))
  parseFlags(command(`tracemesh cert ${verb}`, { out: () => {}, err: () => {} }).argument('[files...]'), table, args)
  return undefined
}

/** `tracemesh zoo run NAME`, or another of its commands without arguments. */
function zooProblem([verb = '', ...args]: readonly string[]): string | undefined {
  const names = [...scenes.map(({ name }) => name), 'all', 'four-days', '--keep', '--again']
  return unknown('command of zoo', [verb], ['list', 'run', 'score', 'record']) ?? unknown('run of the zoo', args, names)
}

/** Throws for an unknown flag or a value that is not allowed. */
function parseFlags(program: ReturnType<typeof command>, table: FlagTable, args: readonly string[]): void {
  addFlags(program, table)
  program.parse(args, { from: 'user' })
  readFlags(table, rawFlags(program, table))
}

/** `npm run SCRIPT -- ...`: the script exists, and so do its arguments. */
function scriptProblem([, verb = '', ...words]: readonly string[]): string | undefined {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [script = '', ...args] = [...(verb === 'run' ? [] : [verb]), ...words].filter((word) => word !== '--')
  if (!(script in scripts)) return `package.json has no script ${script}`
  if (script === 'start') return commandProblem(['tracemesh', 'lab', ...args])
  if (script === 'soak') return commandProblem(['tracemesh', 'soak', ...args])
  if (script === 'stack') return void parseFlags(command('stack', { out: () => {}, err: () => {} }), stackFlags, args)
  if (script === 'prove') return unknown('proof', args, [...proofNames(), 'list', 'all', 'quick'])
  if (script === 'bench') return unknown('bench', args.slice(0, 1), benchNames)
  const tests = globSync('src/**/*.test.ts', { cwd: root })
  const unmatched = args.find((arg) => arg !== '--quick' && !tests.some((file) => file.includes(arg)))
  return unmatched === undefined ? undefined : `no test file matches ${unmatched}`
}

/** Each path of the clone in the command exists. */
function fileProblem(words: readonly string[]): string | undefined {
  const paths = words.filter((word) => /^(?:src|deploy|examples)\//.test(word))
  const missing = paths.find((path) => !existsSync(join(root, path)))
  return missing === undefined ? undefined : `no file ${missing}`
}

/** `deploy/SCRIPT.sh ...`: the script exists, and its usage has the arguments. */
function deployProblem([script = '', ...args]: readonly string[]): string | undefined {
  if (!existsSync(join(root, script))) return `no script ${script}`
  const [usage = ''] = /^# usage: .*$/m.exec(readFileSync(join(root, script), 'utf8')) ?? []
  return unknown(`argument of ${script}:`, args, usage.split(/[^\w-]+/))
}

/** Containers are services of the stack, and files exist. */
function dockerProblem(words: readonly string[]): string | undefined {
  const { services } = parse(readFileSync(join(root, 'deploy/compose.yaml'), 'utf8'))
  const containers = words.flatMap((word) => /^tracemesh[_-](.+)[_-]\d+$/.exec(word)?.[1] ?? [])
  return unknown('service', containers, Object.keys(services)) ?? fileProblem(words)
}
