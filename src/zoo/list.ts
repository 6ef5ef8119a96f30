import { align } from './align.ts'
import { shapes } from './shapes.ts'

/** The table of diseases. */
export function listText(): string {
  const header = ['id', 'disease', 'issue', 'planted in', 'simulated', 'what happens']
  const rows = shapes.map(({ id, disease, issue, planted, isSimulated, story, standsFor }) => [
    id,
    disease,
    issue || '-',
    planted,
    isSimulated ? 'yes' : '-',
    standsFor === undefined ? story : `${story} (stands for ${standsFor})`,
  ])
  return `${align([header, ...rows])}\n`
}
