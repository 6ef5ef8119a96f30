import { stackProof } from './run.ts'

export const proof = stackProof('v2')
