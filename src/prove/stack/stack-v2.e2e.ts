import { endToEnd } from '../end-to-end.ts'
import { stackProof } from './run.ts'

export const proof = endToEnd(stackProof('v2'))
