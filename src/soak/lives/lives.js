import { setTimeout as sleep } from 'node:timers/promises'

// Many short lives of peers in one process. Plain JavaScript: stock peers of the bench run the same code.

/**
 * @typedef {object} Life A peer with an identity of its own.
 * @property {(signal: AbortSignal) => Promise<void>} join Resolves once it is connected, and can gossip with the hub.
 * @property {(data: Uint8Array) => Promise<number>} talk Publishes; resolves with the number of peers it went to.
 * @property {() => void} abort Resets its connections, without a goodbye.
 * @property {() => Promise<void>} stop
 */

/** @typedef {'stop' | 'abort' | 'kill'} Departure */

/** A life may take so long to join, to find a peer for its message, and to stop; and it stays so long. Milliseconds. */
const limits = { joinMs: 15_000, hearMs: 5_000, stopMs: 4_000, stayMs: 200 }
const pollMs = 50
/** Shorter than a message that counts as one of the measured traffic. */
const greeting = new Uint8Array(4)

/**
 * Takes `ADDRESSES COUNT DEPARTURE RATE` as arguments. Prints `ready`; starts at its first line of input, which has the
 * seconds within which lives begin, or nothing. Begins `rate` lives a second, prints a line after each and one with what
 * all of them did, and exits; `kill` kills the process with all lives connected.
 *
 * @param {(address: string, index: number) => Promise<Life>} begin
 * @param {readonly string[]} [args]
 */
export async function runLives(begin, args = process.argv.slice(2)) {
  const [addresses = '', count = '1', departure = 'stop', rate = '10'] = args
  const hub = addresses.split(',')
  print({ event: 'ready' })
  const input = await new Promise((resolve) => process.stdin.once('data', resolve))
  // The end of input is the end of the process that started the lives.
  process.stdin.once('end', () => process.exit(1))
  const withinMs = 1_000 * (Number(/\d+(?:\.\d+)?/.exec(String(input))?.[0]) || Infinity)
  const startedAt = performance.now()
  const lives = Array.from({ length: Number(count) }, async (_, i) => {
    const dueMs = (i * 1_000) / Number(rate)
    if (dueMs >= withinMs) return undefined
    await sleep(Math.max(0, startedAt + dueMs - performance.now()))
    // A machine that is too busy begins fewer.
    if (performance.now() - startedAt >= withinMs) return undefined
    const failure = await live(() => begin(hub[i % hub.length] ?? '', i), /** @type {Departure} */ (departure))
    print({ event: 'life', failure })
    return failure
  })
  const begun = (await Promise.all(lives)).filter((failure) => failure !== undefined)
  const failures = begun.filter((failure) => failure !== '')
  const { user, system } = process.cpuUsage()
  const cpuMs = (user + system) / 1_000
  print({ event: 'lived', lives: begun.length, cpuMs, failures: failures.slice(0, 5), failed: failures.length })
  if (departure !== 'kill') process.exit(0)
  // The line must be out first.
  process.stdout.write('', () => process.kill(process.pid, 'SIGKILL'))
}

/**
 * Resolves with the reason of a failure, or an empty text.
 *
 * @param {() => Promise<Life>} begin
 * @param {Departure} departure
 */
async function live(begin, departure) {
  /** @type {Life | undefined} */
  let life
  try {
    life = await begin()
    await life.join(AbortSignal.timeout(limits.joinMs))
    await talk(life)
    await sleep(limits.stayMs)
    return ''
  } catch (error) {
    return String(error).slice(0, 200)
  } finally {
    if (life !== undefined && departure !== 'kill') await leave(life, departure)
  }
}

/**
 * The hub may not have opened its stream yet.
 *
 * @param {Life} life
 */
async function talk(life) {
  const until = performance.now() + limits.hearMs
  while ((await life.talk(greeting)) === 0) {
    if (performance.now() > until) throw new Error('nobody to talk to')
    await sleep(pollMs)
  }
}

/**
 * @param {Life} life
 * @param {Departure} departure
 */
async function leave(life, departure) {
  if (departure === 'abort') life.abort()
  await Promise.race([life.stop().catch(() => {}), sleep(limits.stopMs)])
}

/** @param {object} event */
function print(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}
