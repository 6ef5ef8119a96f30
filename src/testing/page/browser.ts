import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { skipWithout } from '../requirement.ts'

const override = process.env['TRACEMESH_CHROMIUM']
const path = override === undefined || override === '' ? '/usr/bin/chromium' : override

/** Chromium of this machine: the path in `TRACEMESH_CHROMIUM`, else Debian's. Undefined if that file is missing. */
export const chromiumPath: string | undefined = existsSync(path) ? path : undefined

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** An open page, and the problems it reported. */
export interface TestPage {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors and warnings of the console, exceptions, failed requests. */
  readonly complaints: string[]
}

/** @throws Error when this machine has no Chromium. */
export function launchBrowser(): Promise<Browser> {
  if (chromiumPath === undefined)
    throw new Error('Chromium not found: install it, or set TRACEMESH_CHROMIUM to its path')
  return chromium.launch({ executablePath: chromiumPath, args, headless: true })
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<TestPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`))
  page.setDefaultTimeout(30_000)
  await page.goto(url)
  return { page, context, complaints }
}

/** A test in its own browser. Without Chromium it is skipped; the proof `page` answers `not shown` in that case. */
export function browserTest(name: string, run: (browser: Browser) => Promise<void>): void {
  test(name, async (t) => {
    if (chromiumPath === undefined) return skipWithout(t, 'chromium', `Chromium not found: ${path} does not exist`)
    const browser = await launchBrowser()
    try {
      await run(browser)
    } finally {
      await browser.close()
    }
  })
}
