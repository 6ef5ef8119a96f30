import { createHash, timingSafeEqual } from 'node:crypto'
import { isLoopback, parseHostPort } from './host-port.ts'

/** Whether an `authorization` header carries the token. Takes the same time however much of it is right. */
export function bears(token: string): (header: string | undefined) => boolean {
  const expected = digest(token)
  return (header) => {
    const given = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header ?? '')?.[1]
    return given !== undefined && timingSafeEqual(digest(given), expected)
  }
}

/** Whether a `host` header names this machine. A page elsewhere that has its own name point here does not. */
export function namesThisMachine(header: string | undefined): boolean {
  const named = parseHostPort(header ?? '', 80)
  return named !== undefined && isLoopback(named.host)
}

/** Equal lengths, which the comparison needs, whatever was given. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
