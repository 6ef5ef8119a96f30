import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readable } from '../prove/answer.ts'
import { lateSeed } from '../prove/late-seed.ts'
import { verdictOf } from '../prove/proof.ts'
import { startCluster } from '../testing/cluster.ts'
import { leakCheck } from '../testing/leak-check.ts'

leakCheck()
