import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from '../until.ts'

/** A peer of any implementation in its own process, with the interface that `guest-peer.ts` describes. */
export interface Guest extends AsyncDisposable {
  readonly peer: string
  /** Messages it received on its topic, oldest first. */
  readonly messages: readonly { readonly from: string; readonly text: string }[]
  publish(text: string): void
  /** Sends SIGKILL. */
  kill(): Promise<void>
  /** Ends its input; sends SIGKILL if it then does not exit. */
  leave(): Promise<void>
}

/** Limits, milliseconds: until it is connected, and from the end of its input to its exit. */
const startMs = 20_000
const leaveMs = 5_000

/** The command line of a plain js-libp2p guest. */
export function plainGuest(): readonly string[] {
  const types = process.execArgv.filter((flag) => flag === '--experimental-strip-types')
  return [process.execPath, ...types, fileURLToPath(new URL('guest-peer.ts', import.meta.url))]
}

/** Starts a guest that dials `address` (with `/p2p/`), and resolves once it is connected. */
export async function startGuest(
  command: readonly string[],
  address: string,
  topic: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Guest> {
  const [program = '', ...args] = command
  const child = spawn(program, [...args, address, topic], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const messages: { from: string; text: string }[] = []
  let peer = ''
  let failure: Error | undefined
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      failure = error
      resolve()
    })
    child.once('close', () => resolve())
  })
  void exited.then(() => {
    failure ??= new Error(`the guest ended with ${child.exitCode ?? child.signalCode}`)
  })
  // A write after its exit fails here; the exit itself shows elsewhere.
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as { event: string; peer: string; from: string; text: string }
    if (event.event === 'ready') peer = event.peer
    if (event.event === 'message') messages.push({ from: event.from, text: event.text })
  })
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  const leave = async () => {
    child.stdin.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), leaveMs)
    await exited
    clearTimeout(timer)
  }
  await until(() => peer !== '' || failure !== undefined, startMs, 'the guest connects').catch((error) => {
    failure ??= error as Error
  })
  if (failure !== undefined) {
    await kill()
    throw failure
  }
  return {
    peer,
    messages,
    publish: (text) => void child.stdin.write(`publish ${text}\n`),
    kill,
    leave,
    [Symbol.asyncDispose]: leave,
  }
}
