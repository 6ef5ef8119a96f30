import { linkedPage } from '../catalogue/jaeger-ui.ts'
import { maxNodesOfCollector } from '../catalogue/span-counts.ts'
import { addFlags, type CommandAction, command, terminal as io, rawFlags, toExitCode } from '../commands/command.ts'
import { host, runUntilStopped } from '../commands/run-until-stopped.ts'
import { whole } from '../kit/rules.ts'
import { count } from '../node/config-schemas.ts'
import { type FlagTable, readFlags } from '../node/flag-table.ts'
import { type RunningStack, startStack } from './bare.ts'

/** Stop limit of four programs that flush to disk, one after the other. */
const stopMs = 60_000

/** Every flag of `npm run stack` that takes a value, but its directory. */
export const stackFlags = {
  nodes: {
    description: 'nodes of each mesh, for the limit on series',
    defaultText: '250',
    ...count(whole(1, maxNodesOfCollector, 'nodes')),
  },
} as const satisfies FlagTable

/** Runs the stack on this machine without containers until a signal. */
const stack: CommandAction = async (args, io) => {
  const program = command('stack', io)
    .description(
      'Run Collector, Jaeger, Prometheus and Alertmanager on loopback, without containers, until SIGINT ends them.',
    )
    .option('--directory <path>', 'data directory, kept for the next start (default: a temporary directory)')
    .option('--json', 'print the addresses as one line of JSON')
    .allowExcessArguments(false)
    .addHelpText('after', '\nExit codes: 0 fine, 1 it did not stop in order, 2 usage error or missing program.')
  addFlags(program, stackFlags)
  const options = program.parse(args, { from: 'user' }).opts<{ directory?: string; json?: boolean }>()
  const { nodes } = readFlags(stackFlags, rawFlags(program, stackFlags))
  const start = async () => {
    io.err('starting; press Ctrl-C to stop\n')
    const running = await startStack({
      ports: 'usual',
      ...(options.directory && { directory: options.directory }),
      ...(nodes !== undefined && { nodes }),
    })
    io.out(
      options.json === true
        ? `${JSON.stringify({ ...running.urls, directory: running.directory })}\n`
        : addressText(running),
    )
    return { stop: () => running.stop() }
  }
  return runUntilStopped(start, host, stopMs)
}

function addressText({ urls, directory }: RunningStack): string {
  return [
    `Jaeger        ${urls.jaeger}`,
    `Prometheus    ${urls.prometheus}`,
    `Alertmanager  ${urls.alertmanager}`,
    `Spans go to   ${urls.otlp}`,
    `Data is in    ${directory}`,
    // Jaeger's links lead to this page.
    `A mesh for it: npm start -- --otlp ${urls.otlp} --query ${urls.jaeger} --jaeger-ui ${urls.jaeger} --page ${new URL(linkedPage).host}`,
    '',
  ].join('\n')
}

if (import.meta.main) process.exitCode = await toExitCode(() => stack(process.argv.slice(2), io), io)
