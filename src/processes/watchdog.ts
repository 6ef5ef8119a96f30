import { type ChildProcess, spawn } from 'node:child_process'

/**
 * After a kill of the lab: kills its processes, removes its directory and restores its terminal.
 *
 * A process of the lab stops when its IPC channel to the lab closes, but a paused one (SIGSTOP) cannot. So a shell
 * reads the pids from a pipe, a line for each change, and acts when the pipe ends without the word `done`.
 */
export class Watchdog {
  readonly #shell: ChildProcess | undefined
  #last = ''

  /** @param terminal Whether to restore a terminal. */
  constructor(directory: string, terminal: boolean) {
    // Windows has no SIGSTOP.
    if (process.platform === 'win32') return
    // A separate session: a Ctrl-C at the terminal must not reach the shell.
    this.#shell = spawn('/bin/sh', ['-c', script, 'sh', directory, terminal ? 'terminal' : ''], {
      stdio: ['pipe', 'ignore', 'ignore', terminal ? process.stdout.fd : 'ignore'],
      detached: true,
      cwd: '/',
    })
    this.#shell.on('error', () => {})
    this.#shell.stdin?.on('error', () => {})
    this.#shell.unref()
  }

  /** Replaces the list of processes to kill. */
  watch(pids: readonly number[]): void {
    const line = pids.join(' ')
    if (line === this.#last) return
    this.#last = line
    this.#shell?.stdin?.write(`${line}\n`)
  }

  /** Ends the shell without any action. */
  release(): void {
    this.#shell?.stdin?.end('done\n')
  }
}

/** `$1`: directory, `$2`: whether descriptor 3 is a terminal, where it restores screen and cursor. */
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
