import { attributes } from '../catalogue/attributes.ts'
import { type SpanName, specOf, spans } from '../catalogue/spans.ts'
