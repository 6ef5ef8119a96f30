import { randomBytes } from 'node:crypto'
import { parseHostPort } from '../admin/host-port.ts'
import { isLoopback } from '../core/address.ts'
import { MeshError, quote, redact } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { describeEndpointFault, findOtlpProblems, standardEndpoint } from '../telemetry/otlp-settings.ts'
import { type ConfigKey, type ConfigValue, configEntries, configTable, type Setting } from './config-table.ts'
import type { TrustSettings } from './credentials/trust-files.ts'
import { nearest } from './flag-table.ts'
import { availableMemory, capsBytes, capsByUse, defaultBufferedBytes } from './memory.ts'

/** Settings that may be missing: they have no default. */
type OptionalKey = 'bridgeTo' | 'identity' | 'adminToken' | 'traceRoutine' | keyof TrustSettings

/** The configuration of a node. Durations are milliseconds; `config-table.ts` describes each setting. */
export type NodeConfig = {
  readonly [K in ConfigKey]: ConfigValue<K> | (K extends OptionalKey ? undefined : never)
}

/** With go-libp2p: `dht.ProtocolPrefix("/tracemesh")`. */
const ownDhtProtocol = '/tracemesh/kad/1.0.0'

export type Environment = Readonly<Record<string, string | undefined>>
/** By flag, dashes included. */
export type Flags = Readonly<Record<string, string | readonly string[] | undefined>>
export type ConfigProblem = MeshError<'MESH_CONFIG_INVALID'> | MeshError<'MESH_CONFIG_UNKNOWN'>

/** Either a complete configuration or all its problems. Flags win over the environment. */
export type ConfigResult =
  | { readonly config: NodeConfig; readonly problems: readonly []; readonly warnings: readonly string[] }
  | {
      readonly config?: undefined
      readonly problems: readonly [ConfigProblem, ...ConfigProblem[]]
      readonly warnings?: undefined
    }

type Parsed = { -readonly [K in ConfigKey]: ConfigValue<K> | undefined }

/** Throws the first of the problems that `readConfig` finds: MESH_CONFIG_INVALID or MESH_CONFIG_UNKNOWN. */
export function parseConfig(env: Environment, flags: Flags = {}): NodeConfig {
  const { config, problems } = readConfig(env, flags)
  if (config === undefined) throw problems[0]
  return config
}

/** `memory`: bytes that the process may use. */
export function readConfig(env: Environment, flags: Flags = {}, memory = availableMemory()): ConfigResult {
  const problems: ConfigProblem[] = unknownKeys(env, flags)
  const parsed: Record<string, unknown> = {}
  for (const [key, setting] of configEntries) {
    const raw = rawValueOf(setting, env, flags)
    if (raw === undefined) continue
    const result = setting.schema.safeParse(raw)
    if (result.success) parsed[key] = result.data
    else problems.push(invalidSetting(key, printable(key, raw), setting.expected))
  }
  const values = parsed as Parsed
  problems.push(...findConflicts(values), ...findOtlpProblems(values.otlp, env))
  const [first, ...rest] = problems
  if (first !== undefined) return { problems: [first, ...rest] }
  const config = withDefaults(values, env, memory)
  const memoryProblem = findMemoryProblem(config, memory)
  if (memoryProblem !== undefined) return { problems: [memoryProblem] }
  return { config, problems: [], warnings: findFormerNames(env, flags) }
}

/** Settings given by a name that the next version refuses. */
function findFormerNames(env: Environment, flags: Flags): string[] {
  return configEntries.flatMap(([key, { formerly }]) => {
    if (formerly === undefined) return []
    const given = [formerly.flag, formerly.env].filter((name) => flags[name] !== undefined || isSet(env[name]))
    return given.map((name) => `${name} is now ${settingName(key)}; the next version refuses the former name`)
  })
}

/** An empty variable counts as unset: `${NAME:-}` in a compose file produces one. */
function isSet(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== ''
}

/** Limits that allow more bytes than there are protect nothing. */
function findMemoryProblem(config: NodeConfig, memory: number): ConfigProblem | undefined {
  if (capsBytes(config, memory) <= memory) return undefined
  const { streamBuffers = 0, ...others } = capsByUse(config, memory)
  const isBuffers = streamBuffers > Object.values(others).reduce((sum, bytes) => sum + bytes, 0)
  const key = isBuffers ? 'bufferedBytes' : 'connectionsHigh'
  const [allowed, available] = [capsBytes(config, memory), memory].map((bytes) => Math.ceil(bytes / 1_048_576))
  const expected = `less: all limits together allow ${allowed} MiB, and the machine or container has ${available} MiB`
  return invalidSetting(key, printable(key, String(config[key])), expected)
}

/** Name of a setting in messages: variable and flag. */
export function settingName(key: ConfigKey): string {
  const { env, flag }: Setting = configTable[key]
  return flag === undefined ? env : `${env} (${flag})`
}

function rawValueOf(setting: Setting, env: Environment, flags: Flags): string | readonly string[] | undefined {
  const { formerly, defaultValue } = setting
  const fromFlag = setting.flag === undefined ? undefined : (flags[setting.flag] ?? flags[formerly?.flag ?? ''])
  const fromEnv = [env[setting.env], env[formerly?.env ?? '']].find(isSet)?.trim()
  const raw = fromFlag ?? fromEnv ?? defaultValue
  if (!setting.list || raw === undefined) return raw
  const texts = typeof raw === 'string' ? [raw] : raw
  return texts.flatMap((text) => (text === '' ? [] : text.split(',').map((part) => part.trim())))
}

/** Variables that Kubernetes sets in every pod for a Service whose name begins with `mesh-`. */
const serviceLink = /_SERVICE_(HOST|PORT)(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/

function unknownKeys(env: Environment, flags: Flags): ConfigProblem[] {
  const variables = configEntries.flatMap(([, { env, formerly }]) => [env, formerly?.env ?? []].flat())
  const options = configEntries.flatMap(([, { flag, formerly }]) => [flag ?? [], formerly?.flag ?? []].flat())
  const unknownNames = [
    ...Object.keys(env).filter((key) => key.startsWith('MESH_') && !variables.includes(key) && !serviceLink.test(key)),
    ...Object.keys(flags).filter((key) => !options.includes(key)),
  ]
  return unknownNames.map(
    (key) =>
      new MeshError('MESH_CONFIG_UNKNOWN', {
        key,
        nearest: nearest(key, key.startsWith('MESH_') ? variables : options),
      }),
  )
}

/** Settings that are valid alone but not together. */
function findConflicts(values: Parsed): ConfigProblem[] {
  const { role, mesh, bridgeTo, neighbours, connectionsHigh, connectionsLow } = values
  const problems: ConfigProblem[] = [
    ...findPageConflicts(values),
    ...findDhtConflict(values),
    ...findMissingToken(values),
    ...findTrustConflicts(values),
  ]
  if (role === 'bridge' && bridgeTo === undefined) {
    problems.push(invalidSetting('bridgeTo', 'not set', 'the second mesh, since the role is bridge'))
  }
  if (role !== undefined && role !== 'bridge' && bridgeTo !== undefined) {
    problems.push(
      invalidSetting('bridgeTo', printable('bridgeTo', bridgeTo), `nothing, or ${settingName('role')} to be bridge`),
    )
  }
  if (bridgeTo !== undefined && bridgeTo === mesh) {
    problems.push(
      invalidSetting('bridgeTo', printable('bridgeTo', bridgeTo), `another mesh than ${settingName('mesh')}`),
    )
  }
  if (neighbours !== undefined && connectionsHigh !== undefined && neighbours > connectionsHigh) {
    const limit = `at most ${connectionsHigh}, the value of ${settingName('connectionsHigh')}`
    problems.push(invalidSetting('neighbours', printable('neighbours', String(neighbours)), limit))
  }
  if (connectionsLow !== undefined && connectionsHigh !== undefined && connectionsLow > connectionsHigh) {
    const limit = `at most ${connectionsHigh}, the value of ${settingName('connectionsHigh')}`
    problems.push(invalidSetting('connectionsLow', printable('connectionsLow', String(connectionsLow)), limit))
  }
  return problems
}

/** Only an observer serves the page; its settings would have no effect in another role. */
function findPageConflicts(values: Parsed): ConfigProblem[] {
  if (values.role === undefined || values.role === 'observer') return []
  return (['query', 'jaegerUi'] as const).flatMap((key) => {
    const raw = values[key]
    if (raw === undefined || raw === 'off') return []
    return [invalidSetting(key, printable(key, raw), `off, or ${settingName('role')} to be observer`)]
  })
}

/** Only a seed serves a DHT. */
function findDhtConflict({ role, dhtProtocol }: Parsed): ConfigProblem[] {
  if (role === undefined || role === 'seed' || dhtProtocol === undefined || dhtProtocol === 'off') return []
  const expected = `off, or ${settingName('role')} to be seed`
  return [invalidSetting('dhtProtocol', printable('dhtProtocol', dhtProtocol), expected)]
}

/** An HTTP server beyond loopback needs a token. */
function findMissingToken(values: Parsed): ConfigProblem[] {
  if (values.adminToken !== undefined) return []
  return (['admin', 'pprof'] as const).flatMap((key) => {
    const raw = values[key]
    if (raw === undefined || raw === 'off' || isLoopback(parseHostPort(raw)?.host ?? '')) return []
    const remedy = `a loopback host such as 127.0.0.1, or a token in ${settingName('adminToken')}`
    return [invalidSetting(key, printable(key, raw), remedy)]
  })
}

/** A closed mesh needs a secret, or an authority and what it has signed for this node. */
function findTrustConflicts({ admissionMode, secret, secretFile, ca, cert, identity }: Parsed): ConfigProblem[] {
  const hasSecret = secret !== undefined || secretFile !== undefined
  if (secret !== undefined && secretFile !== undefined)
    return [invalidSetting('secret', 'set', `nothing, since ${settingName('secretFile')} is set`)]
  if (cert !== undefined && identity === undefined)
    return [invalidSetting('identity', 'not set', `the key file that the credential in ${settingName('cert')} names`)]
  if (admissionMode === undefined || admissionMode === 'open') {
    const given = (['secret', 'secretFile', 'ca', 'cert'] as const).find((key) =>
      Boolean({ secret, secretFile, ca, cert }[key]),
    )
    if (given === undefined) return []
    return [invalidSetting('admissionMode', 'open', `enforce or permissive, since ${settingName(given)} is set`)]
  }
  if (hasSecret || (ca !== undefined && cert !== undefined)) return []
  const cures = `a secret in ${settingName('secretFile')}, or an authority in ${settingName('ca')} with a credential in ${settingName('cert')}`
  return [invalidSetting('admissionMode', admissionMode, `open, or with ${cures}`)]
}

/** Adds the defaults that are computed at start. The defaults of the table are applied already. */
function withDefaults(parsed: Parsed, env: Environment, memory: number): NodeConfig {
  const values = parsed as { -readonly [K in ConfigKey]: ConfigValue<K> }
  return Object.freeze({
    ...values,
    bridgeTo: parsed.bridgeTo,
    identity: parsed.identity,
    adminToken: parsed.adminToken,
    traceRoutine: parsed.traceRoutine,
    secret: parsed.secret,
    secretFile: parsed.secretFile,
    ca: parsed.ca,
    cert: parsed.cert,
    revocations: parsed.revocations,
    name: parsed.name ?? `${values.role}-${randomBytes(2).toString('hex')}`,
    otlp: parsed.otlp ?? standardEndpoint(env),
    dhtProtocol: parsed.dhtProtocol ?? (values.role === 'seed' ? ownDhtProtocol : 'off'),
    connectionsLow: parsed.connectionsLow ?? Math.ceil((values.connectionsHigh * limits.peersLow) / limits.peers),
    bufferedBytes: parsed.bufferedBytes ?? defaultBufferedBytes(memory),
  })
}

function invalidSetting(key: ConfigKey, raw: string, expected: string): MeshError<'MESH_CONFIG_INVALID'> {
  return new MeshError('MESH_CONFIG_INVALID', { key: settingName(key), given: raw, expected })
}

/** Quotes a value for an error message, without secrets. */
function printable(key: ConfigKey, raw: string | readonly string[]): string {
  const text = typeof raw === 'string' ? raw : raw.join(',')
  if (key === 'adminToken' || key === 'secret') return redact(text)
  if (key === 'otlp') return describeEndpointFault(text) ?? quote(text)
  return quote(text)
}
