import { fileURLToPath } from 'node:url'
import { alertNames } from '../catalogue/alerts/alerts.ts'
import type { DiseaseLinks } from '../catalogue/alerts/page.ts'
import { diseaseNames } from '../doctor/diseases.ts'
import { diseaseLink, renderDiseaseIndex, renderDiseasePage } from './disease-page.ts'
import { guides } from './guides.ts'

const directory = new URL('../../docs/diseases/', import.meta.url)
const fileOf = (name: string) => fileURLToPath(new URL(name, directory))

/** The pages of all diseases, and their index. */
export const diseasePages = [
  { file: fileOf('README.md'), render: renderDiseaseIndex },
  ...diseaseNames.map((name) => ({ file: fileOf(`${name}.md`), render: () => renderDiseasePage(name) })),
]

/** Links from otel/ALERTS.md to the diseases that set off an alert. */
export const diseasesOfAlerts: DiseaseLinks = Object.fromEntries(
  alertNames.map((alert) => [
    alert,
    diseaseNames
      .filter((name) => guides[name].alerts?.includes(alert))
      .map((name) => diseaseLink(name).replace('](', '](../docs/diseases/')),
  ]),
)
