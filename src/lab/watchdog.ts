import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Kills what the lab leaves behind when the lab itself is killed, removes its directory and puts its terminal right.
 *
 * A process of the lab ends by itself when its channel to the lab closes. One that is stopped (SIGSTOP) does not run
 * and cannot, so somebody else has to see the lab's end: a shell that reads the ids of its processes from a pipe,
 * a line each time they change, and acts when the pipe ends without the word `done`.
 */
export class Watchdog {
  readonly #shell: ChildProcess | undefined
  #last = ''

  /** @param terminal Whether a terminal has to be put right. */
  constructor(directory: string, terminal: boolean) {
    // Where there is no SIGSTOP there is nothing to watch for.
    if (process.platform === 'win32') return
    // A session of its own: what is typed at the terminal is not for it.
    this.#shell = spawn('/bin/sh', ['-c', script, 'sh', directory, terminal ? 'terminal' : ''], {
      stdio: ['pipe', 'ignore', 'ignore', terminal ? process.stdout.fd : 'ignore'],
      detached: true,
      cwd: '/',
    })
    this.#shell.on('error', () => {})
    this.#shell.stdin?.on('error', () => {})
    this.#shell.unref()
  }

  /** These are the processes to end, in place of those named before. */
  watch(pids: readonly number[]): void {
    const line = pids.join(' ')
    if (line === this.#last) return
    this.#last = line
    this.#shell?.stdin?.write(`${line}\n`)
  }

  /** All is in order: it ends, and touches nothing. */
  release(): void {
    this.#shell?.stdin?.end('done\n')
  }
}

/** `$1`: directory, `$2`: whether descriptor 3 is a terminal. Left and cursor shown, as on the way out. */
const script = `
trap '' HUP INT TERM
pids=
while read -r line; do
  [ "$line" = done ] && exit 0
  pids=$line
done
if [ -n "$2" ]; then stty sane <&3; printf '\\033[?1049l\\033[?25h' >&3; fi
for pid in $pids; do kill -KILL "$pid"; done
[ -f "$1/pid" ] && rm -rf "$1"
`
