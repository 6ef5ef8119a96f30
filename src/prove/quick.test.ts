import { leakCheck } from '../testing/leak-check.ts'
import { testQuickProofs } from './quick.ts'

leakCheck()

await testQuickProofs({ virtual: true })
