import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { banner, eagerGrpc, externalsOf, rewriting } from './bundle.ts'
import { esbuildTurn } from './esbuild-turn.ts'
import { licences } from './licences.ts'

/** What the bundle imports: a single API per process, so the one of the application. */
const outside = '@opentelemetry/api'

/**
 * Bundles the OpenTelemetry SDK, its OTLP exporter and gRPC into `file`, which the published kit loads in place of
 * `src/telemetry/sdk.ts`. SDK 3 demands an API of 1.10, SDK 1 and 2 one below that: as dependencies they could not be
 * installed together. What SDK 3 uses of the API is there in 1.9 too.
 *
 * @throws Error when the bundle would load anything but the API.
 */
export async function bundleSdk(root: string, file: string): Promise<void> {
  const { plugin, check } = rewriting([eagerGrpc])
  const options = {
    absWorkingDir: root,
    entryPoints: ['src/telemetry/sdk.ts'],
    outfile: file,
    bundle: true,
    external: [outside],
    format: 'esm',
    platform: 'node',
    target: 'node22.15',
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    banner: { js: banner },
    plugins: [plugin],
    metafile: true,
    logLevel: 'warning',
  } as const satisfies BuildOptions
  const { metafile } = await esbuildTurn(() => build(options))
  check()
  const others = externalsOf(metafile).filter((name) => name !== outside)
  if (others.length > 0) throw new Error(`the bundle of the SDK loads ${others.join(' and ')}`)
  await writeFile(join(dirname(file), 'LICENCES.txt'), await licences(Object.keys(metafile.inputs), root))
}
