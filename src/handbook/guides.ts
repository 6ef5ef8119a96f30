import type { DiseaseName } from '../doctor/diseases.ts'
import type { Guide } from './guide.ts'
import { leakGuides } from './leak-guides.ts'
import { retryGuides } from './retry-guides.ts'

/** How each disease looks in Jaeger. */
export const guides: Readonly<Record<DiseaseName, Guide>> = { ...retryGuides, ...leakGuides }
