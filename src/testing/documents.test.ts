import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import {
  commandsIn,
  commandsOfDocuments,
  currentDocuments,
  documents,
  problemOf,
  root,
  runnable,
} from './document-commands.ts'
import { leakCheck } from './leak-check.ts'

leakCheck()

/** Heading anchors as code forges build them: lower case, without punctuation, dashes for spaces. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)
  const explicit = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = '']) => id)
  const slugs = headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return [...slugs, ...explicit]
}

/** Relative links of a document whose file or heading does not exist. */
function brokenLinks(path: string, text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? join(root, path) : join(root, dirname(path), decodeURIComponent(file))
    if (!existsSync(target)) return true
    return anchor !== undefined && target.endsWith('.md') && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor)
  })
}

test('the documents: each relative link has its file and heading', () => {
  const broken = documents.flatMap((path) =>
    brokenLinks(path, readFileSync(join(root, path), 'utf8')).map((link) => `${path}: ${link}`),
  )
  assert.deepEqual(broken, [])
})

test('brokenLinks: finds a missing file and a missing heading, skips code and web links', () => {
  const text = '[a](nothing.md) [b](../README.md#no-such-heading) [c](https://example.org/x) `[d](gone.md)`'
  assert.deepEqual(brokenLinks('docs/glossary.md', text), ['nothing.md', '../README.md#no-such-heading'])
})

const files = globSync('**', {
  cwd: root,
  exclude: (name) => ['node_modules', '.git', '.tracemesh', 'dist'].includes(name),
})

/** Files of an operator, which git ignores. */
const untracked = ['deploy/local.env', 'deploy/compose.override.yaml']

/** Quoted paths and file names of a document that the clone does not have; `*` and NAME stand for any name. */
function missingFiles(text: string): string[] {
  const quotes = Array.from(text.matchAll(/`([\w./*-]+)`/g), ([, quote = '']) => quote)
  const paths = quotes.filter((quote) =>
    /\.(?:tsx?|js|md|ya?ml|sh|json|html|css)$|^(?:src|deploy|otel|docs)\//.test(quote),
  )
  return paths.filter((path) => {
    if (untracked.includes(path)) return false
    const pattern = path
      .replace(/\/$/, '')
      .replaceAll('.', '\\.')
      .replace(/\*|NAME/g, '[\\w.-]+')
    return !files.some((file) => new RegExp(`(?:^|/)${pattern}$`).test(file))
  })
}

test('the documents: each file and directory that they name exists', () => {
  const missing = currentDocuments.flatMap((path) =>
    missingFiles(readFileSync(join(root, path), 'utf8')).map((file) => `${path}: ${file}`),
  )
  assert.deepEqual(missing, [])
  const wrong = ['src/nothing.ts', 'src/nothing', 'nothing-*.ts']
  const right = ['src/commands/NAME-command.ts', 'src/core', 'otel/', 'bundle-kit.ts', '.ci/run', '/api/v3']
  assert.deepEqual(missingFiles([...wrong, ...right].map((quote) => `\`${quote}\``).join()), wrong)
})

test('the commands of the documents: of a known kind, with scripts, flags, values and files that exist', () => {
  const problems = commandsOfDocuments().map(({ document, command }) => [document, command, problemOf(command)])
  assert.deepEqual(
    problems.filter(([, , problem]) => problem !== undefined),
    [],
  )
})

test('commandsIn: commands of blocks and quotes, without comments; a quoted argument stays whole', () => {
  const block = `npm ci && npm start   # q quits\ndeploy/start.sh & node -e 'a("#") &&\n  b()' > out\n`
  const text = `# \`npm test\`, \`node\`, \`x\`\n\`\`\`sh\n${block}\`\`\`\n\`\`\`ts\nlet a\n\`\`\`\n  \`\`\`\nmake\n  \`\`\`\n\n    npm run b\n`
  const expected = [
    'npm ci',
    'npm start',
    'deploy/start.sh',
    `node -e 'a("#") &&\n  b()' > out`,
    'make',
    'npm test',
    'npm run b',
  ]
  assert.deepEqual(commandsIn(text), expected)
})

const wrongCommands: Readonly<Record<string, RegExp>> = {
  'make all': /of no kind/,
  'npm run nothing': /no script nothing/,
  'npm run prove -- nothing': /unknown proof nothing/,
  'npm run bench -- nothing': /unknown bench nothing/,
  'npm test -- no-such-file': /no test file matches no-such-file/,
  'npm start -- --node 4': /--node/,
  'npm start -- --nodes four': /nodes/,
  'npx tracemesh nothing': /unknown command nothing/,
  'npx tracemesh node --lisen x': /--lisen/,
  'npx tracemesh node --listen x': /--listen/,
  'node src/bin.js zoo run nothing': /unknown run of the zoo nothing/,
  'tracemesh drill MeshNothing': /unknown alert MeshNothing/,
  'deploy/start.sh --node 4': /unknown argument of deploy\/start.sh: --node/,
  'deploy/nothing.sh': /no script deploy\/nothing.sh/,
  'docker exec tracemesh_nothing_1 sh': /unknown service nothing/,
  'docker build -f deploy/nothing .': /no file deploy\/nothing/,
  'kubectl apply -k deploy/k8s/nothing': /no file deploy\/k8s\/nothing/,
}

test('a wrong command in a document: problemOf names the problem', () => {
  for (const [command, problem] of Object.entries(wrongCommands))
    assert.match(problemOf(command) ?? '', problem, command)
})

test('runnable: the commands that end by themselves, each once', () => {
  assert.deepEqual(runnable(['npm test', 'npm run generate', 'npx tracemesh spans', 'npm run generate']), [
    'npm run generate -- --check',
    'node src/bin.js spans',
  ])
})

test('the README: at most 150 lines', () => {
  const lines = readFileSync(join(root, 'README.md'), 'utf8').split('\n').length
  assert.ok(lines <= 151, `${lines} lines`)
})
