import { stackProof } from './stack-run.ts'

export const proof = stackProof('v1')
