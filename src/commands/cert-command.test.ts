import assert from 'node:assert/strict'
import { chmod, mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { leakCheck } from '../testing/leak-check.ts'
import { run } from './program.ts'

leakCheck()

/** Runs commands in a directory of its own. */
async function office() {
  const directory = await mkdtempDisposable(join(tmpdir(), 'cert-'))
  const at = (name: string) => join(directory.path, name)
  await writeFile(at('passphrase'), 'a long passphrase\n', { mode: 0o600 })
  const cert = async (...args: readonly string[]) => {
    const [out, err]: [string[], string[]] = [[], []]
    const code = await run(['cert', ...args], { out: (text) => out.push(text), err: (text) => err.push(text) })
    return { code, out: out.join(''), err: err.join('') }
  }
  const authority = ['--ca', at('ca.key'), '--passphrase-file', at('passphrase')]
  const request = async (mesh = 'mesh-a', roles = 'compute,gateway') => {
    const { out } = await cert('request', '--identity', at('node.key'), '--mesh', mesh, '--roles', roles)
    await writeFile(at('request'), out)
    return JSON.parse(out) as { peer: string }
  }
  return { at, cert, authority, request, [Symbol.asyncDispose]: () => directory.remove() }
}

test('from the key of an authority to a credential that it verifies', async () => {
  await using room = await office()
  const { at, cert, authority, request } = room
  const made = await cert('ca', at('ca.key'), '--passphrase-file', at('passphrase'))
  assert.equal(made.code, 0, made.err)
  assert.equal((await stat(at('ca.key'))).mode & 0o777, 0o600)
  assert.match(await readFile(at('ca.key'), 'utf8'), /BEGIN ENCRYPTED PRIVATE KEY/)
  const { peer } = await request()
  const signed = await cert('sign', at('request'), ...authority, '--for', '30d', '--out', at('cert'))
  assert.equal(signed.code, 0, signed.err)
  const shown = await cert('show', at('cert'), '--ca', at('ca.key.pub'))
  assert.equal(shown.code, 0, shown.err)
  for (const part of [peer, 'mesh-a', 'compute, gateway', 'verified']) assert.ok(shown.out.includes(part), shown.out)
  assert.match((await cert('show', at('cert'))).out, /not verified: --ca/)
})

test('a renewed credential: the same content with another id, and the old one can be revoked', async () => {
  await using room = await office()
  const { at, cert, authority, request } = room
  await cert('ca', at('ca.key'), '--passphrase-file', at('passphrase'))
  await request()
  await cert('sign', at('request'), ...authority, '--out', at('old'))
  const renewed = await cert('renew', at('old'), ...authority, '--out', at('new'))
  assert.equal(renewed.code, 0, renewed.err)
  const idOf = async (name: string) => /^ {2}id +(\S+)/m.exec((await cert('show', at(name))).out)?.[1]
  assert.notEqual(await idOf('old'), await idOf('new'))
  const first = await cert('revoke', at('old'), ...authority, '--list', at('revoked'))
  assert.match(first.out, /^list 1 of authority \S+ with 1 credentials/)
  const second = await cert('revoke', at('new'), ...authority, '--list', at('revoked'))
  assert.match(second.out, /^list 2 of authority \S+ with 2 credentials/)
})

test('another authority: it verifies, renews and revokes nothing of the first, and overwrites no list', async () => {
  await using room = await office()
  const { at, cert, authority, request } = room
  const others = ['--ca', at('other.key'), '--passphrase-file', at('passphrase')]
  for (const key of ['ca.key', 'other.key']) await cert('ca', at(key), '--passphrase-file', at('passphrase'))
  await request()
  await cert('sign', at('request'), ...authority, '--out', at('cert'))
  const shown = await cert('show', at('cert'), '--ca', at('other.key.pub'))
  assert.equal(shown.code, 1)
  assert.match(shown.out, /unknown-authority/)
  assert.equal((await cert('renew', at('cert'), ...others)).code, 2)
  assert.equal((await cert('revoke', at('cert'), ...others, '--list', at('list'))).code, 2)
  await cert('revoke', at('cert'), ...authority, '--list', at('list'))
  await cert('sign', at('request'), ...others, '--out', at('cert-2'))
  const wrongList = await cert('revoke', at('cert-2'), ...others, '--list', at('list'))
  assert.match(wrongList.err, /MESH_CREDENTIAL_UNUSABLE: .*this authority has not signed it/)
})

test('what cannot be used: named, with the cure, and nothing is overwritten', async () => {
  await using room = await office()
  const { at, cert, authority, request } = room
  await cert('ca', at('ca.key'), '--passphrase-file', at('passphrase'))
  const key = await readFile(at('ca.key'))
  assert.match((await cert('ca', at('ca.key'), '--passphrase-file', at('passphrase'))).err, /MESH_AUTHORITY_UNUSABLE/)
  assert.deepEqual(await readFile(at('ca.key')), key)
  await request()
  await writeFile(at('wrong'), 'another passphrase', { mode: 0o600 })
  const wrong = await cert('sign', at('request'), '--ca', at('ca.key'), '--passphrase-file', at('wrong'))
  assert.match(wrong.err, /wrong passphrase/)
  await writeFile(at('short'), 'short', { mode: 0o600 })
  assert.match((await cert('sign', at('request'), '--ca', at('ca.key'), '--passphrase-file', at('short'))).err, /12/)
  await chmod(at('passphrase'), 0o644)
  assert.match((await cert('sign', at('request'), ...authority)).err, /mode 644/)
  await chmod(at('passphrase'), 0o600)
  await writeFile(at('request'), '{"peer":"x"}')
  assert.match((await cert('sign', at('request'), ...authority)).err, /its peer is not as expected/)
  assert.match((await cert('sign', at('absent'), ...authority)).err, /ENOENT/)
  assert.match((await cert('show', at('passphrase'))).err, /a line of it is no credential/)
  assert.match((await cert('request', '--mesh', 'mesh-a')).err, /--identity is absent/)
  assert.match((await cert('sign', at('request'), ...authority, '--for', '10y')).err, /--for/)
})
