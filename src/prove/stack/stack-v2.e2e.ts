import { stackProof } from './stack-v1.e2e.ts'

export const proof = stackProof('v2')
