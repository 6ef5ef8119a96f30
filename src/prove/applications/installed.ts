import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { plainEnvironment, root, sh } from '../shell.ts'

export interface InstalledProgram extends AsyncDisposable {
  readonly directory: string
  readonly file: string
}

const programs = join(import.meta.dirname, 'programs')

/**
 * Installs an application in an empty folder, with its packages from the registry and with the package that this clone
 * would publish. Throws when an install fails.
 */
export async function installProgram(program: string, signal: AbortSignal): Promise<InstalledProgram> {
  const directory = await mkdtemp(join(tmpdir(), `tracemesh-${program}-`))
  const remove = () => rm(directory, { recursive: true, force: true, maxRetries: 3 })
  try {
    const env = plainEnvironment()
    const run = async (command: string, cwd: string) => {
      const { code, output } = await sh(command, cwd, env, signal)
      if (code !== 0) throw new Error(`${command}: exit ${code}: ${output.slice(-2_000)}`)
    }
    await run(`npm pack --pack-destination ${directory}`, root)
    const text = await readFile(join(programs, `${program}.json`), 'utf8')
    await writeFile(join(directory, 'package.json'), text)
    for (const file of [`${program}.mjs`, 'harness.mjs']) await cp(join(programs, file), join(directory, file))
    // Install scripts would build unused native code, from sources that they download.
    await run('npm install --no-audit --no-fund --ignore-scripts ./tracemesh-*.tgz', directory)
    return { directory, file: join(directory, `${program}.mjs`), [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}
