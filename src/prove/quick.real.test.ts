import { leakCheck } from '../testing/leak-check.ts'
import { collectNative } from '../testing/real-world.ts'
import { testQuickProofs } from './quick.ts'

collectNative()
leakCheck()

await testQuickProofs({ virtual: false })
