import type { AlertName } from '../catalogue/alerts/alerts.ts'
import type { AttributeName } from '../catalogue/attributes.ts'
import type { Search } from '../catalogue/searches.ts'

/** How a person sees a disease in Jaeger, without the doctor. */
export interface Guide {
  /** What brings a node there, one clause each. */
  readonly causedBy: readonly string[]
  /** The search that shows it, of the mesh as service. */
  readonly search: Omit<Search, 'label'>
  /** Attributes of the span found to look at. */
  readonly attributes: readonly AttributeName[]
  /** What to compare there, and what shows the disease. */
  readonly compare: string
  /** Alerts that it sets off. */
  readonly alerts?: readonly AlertName[]
  /** Section of docs/diagnosing.md. */
  readonly section: string
}
