import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { chromiumPath } from '../../testing/page/browser.ts'

/** Jaeger's Go module contains no page: TRACEMESH_JAEGER_UI names one, built for its release. */
const assets = process.env['TRACEMESH_JAEGER_UI'] ?? ''

export function jaegerPage(): string {
  return resolve(assets)
}

/** Why a proof cannot open Jaeger's page here. */
export function missingPage(): string | undefined {
  if (assets === '') return 'TRACEMESH_JAEGER_UI names no directory with Jaeger’s page, as built for its release'
  const index = join(jaegerPage(), 'index.html')
  if (!existsSync(index)) return `TRACEMESH_JAEGER_UI is ${assets}, but ${index} does not exist`
  return chromiumPath === undefined ? 'no Chromium on this machine (TRACEMESH_CHROMIUM names one)' : undefined
}
