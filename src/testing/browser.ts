import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const named = process.env['TRACEMESH_CHROMIUM']
const path = named === undefined || named === '' ? '/usr/bin/chromium' : named

/** Chromium of this machine: what `TRACEMESH_CHROMIUM` names, else where Debian has it. Undefined when it is not there. */
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

/** A page that was opened, and everything it complained of. */
export interface Opened {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors and warnings of the console, exceptions, failed requests. */
  readonly complaints: string[]
}

/** @throws Error when this machine has no Chromium. */
export function launchBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('no Chromium here: install it, or name it in TRACEMESH_CHROMIUM')
  return chromium.launch({ executablePath: chromiumPath, args, headless: true })
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`))
  page.setDefaultTimeout(10_000)
  await page.goto(url)
  return { page, context, complaints }
}

/**
 * A test in a browser of its own. Where there is no Chromium it says so, loudly, and proves nothing: the proof `page`
 * answers `not shown` there.
 */
export function browserTest(name: string, run: (browser: Browser) => Promise<void>): void {
  test(name, async (t) => {
    if (chromiumPath === undefined) {
      const what = `NOT RUN, no Chromium on this machine: ${name}`
      process.stderr.write(`${what}\n`)
      return t.diagnostic(what)
    }
    const browser = await launchBrowser()
    try {
      await run(browser)
    } finally {
      await browser.close()
    }
  })
}
