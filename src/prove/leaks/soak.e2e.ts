import { startLabProcess } from '../../testing/cluster/command-process.ts'
import { startSoakProcess } from '../../testing/cluster/soak-process.ts'
import { endToEnd } from '../end-to-end.ts'
import { atLeast, type Check, equals } from '../proof.ts'

const ill = 'a-gateway-1'
const fault = 'grow-registry'
const cleanFlags = ['--nodes', '3', '--for', '4m', '--churn', '1/s', '--warm-up', '60s', '--settle', '60s']
const illFlags = ['--for', '100s', '--churn', '1/s', '--warm-up', '10s', '--settle', '50s']

export const proof = endToEnd({
  name: 'soak',
  about: `a soak of a clean lab passes; one of a lab of which a node has the fault ${fault} ends in leak, with its owner`,
  quick: false,
  seconds: 720,
  async run({ progress }) {
    const clean = await soak(progress, ...cleanFlags)
    await using lab = await startLabProcess('--nodes', '4', '--meshes', '1', '--fault', `${ill}=${fault}`)
    const sick = await soak(progress, '--against', lab.url, ...illFlags)
    const [leak] = sick.report?.leaks ?? []
    const checks: Check[] = [
      equals('exit code of the clean soak', 0, clean.code ?? -1),
      equals('its verdict', 'pass', clean.report?.verdict ?? 'none'),
      atLeast('its lives', 100, clean.report?.churn.lives ?? 0),
      equals('exit code of the sick soak', 1, sick.code ?? -1),
      equals('its verdict, too', 'leak', sick.report?.verdict ?? 'none'),
      equals('disease', 'registry-unswept', leak?.disease ?? 'none'),
      equals('node', ill, leak?.owner.node ?? 'none'),
      equals('part', `registry requests of ${ill}/fault`, leak?.owner.part ?? 'none'),
      equals('leaks beside it', 0, Math.max(0, (sick.report?.leaks.length ?? 0) - 1)),
    ]
    return { figures: { clean: figuresOf(clean), sick: figuresOf(sick) }, checks }
  },
})

type Ended = Awaited<ReturnType<typeof startSoakProcess>['ended']>

async function soak(progress: (text: string) => void, ...args: string[]): Promise<Ended> {
  await using running = startSoakProcess(...args)
  const ended = await running.ended
  progress(running.progress.slice(-3).join('; '))
  return ended
}

function figuresOf({ report }: Ended) {
  const { verdict, reasons, remarks, churn, memory, leaks, seconds } = report ?? {}
  return { verdict, reasons, remarks, churn, memory, leaks: leaks?.map(({ summary }) => summary), seconds }
}
