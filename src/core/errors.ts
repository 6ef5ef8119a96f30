/** Every error of this project: its code, its details, and a message that says what to do. */
const errors = {
  MESH_CONFIG_INVALID: (d: { key: string; given: string; expected: string }) =>
    `${d.key} is ${d.given}; expected ${d.expected}`,
  MESH_CONFIG_UNKNOWN: (d: { key: string; nearest: string }) =>
    `unknown setting ${d.key}${d.nearest === '' ? '' : `; did you mean ${d.nearest}?`}`,
  MESH_PORT_TAKEN: (d: { key: string; address: string }) =>
    `${d.key}: ${d.address} is in use; stop the process using it, or choose another port (0 picks a free one)`,
  MESH_IDENTITY_UNREADABLE: (d: { file: string; cause: string }) =>
    `cannot load the identity in ${d.file} (${d.cause}); restore it from a backup, or remove it to get a new identity`,
  MESH_IDENTITY_EXPOSED: (d: { file: string; mode: string }) =>
    `other users can access the identity in ${d.file} (mode ${d.mode}); run chmod 600, or remove it for a new one`,
  MESH_IDENTITY_COUNTER: (d: { file: string; cause: string }) =>
    `cannot write the start counter in ${d.file} (${d.cause}); make its directory writable`,
  MESH_SECRET_UNUSABLE: (d: { source: string; cause: string }) =>
    `cannot use the secret in ${d.source} (${d.cause}); tracemesh secret makes one, the same for all nodes of a mesh`,
  MESH_AUTHORITY_UNUSABLE: (d: { file: string; cause: string; cure: string }) =>
    `cannot use the authority in ${d.file} (${d.cause}); ${d.cure}`,
  MESH_CREDENTIAL_UNUSABLE: (d: { file: string; cause: string; cure: string }) =>
    `cannot use the credential in ${d.file} (${d.cause}); ${d.cure}`,
  MESH_OWNER_CLOSED: (d: { owner: string; resource: string }) => `cannot add ${d.resource} to ${d.owner}: it is closed`,
  MESH_RELEASE_FAILED: (d: { owner: string; steps: string }) => `${d.owner} did not close cleanly: ${d.steps}`,
  MESH_STEP_TIMEOUT: (d: { step: string; ms: number }) => `${d.step} did not finish within ${d.ms} ms`,
  MESH_FRAME_INVALID: (d: { reason: string }) => `invalid frame: ${d.reason}`,
  MESH_MESSAGE_TOO_LARGE: (d: { bytes: number; limit: number }) =>
    `a message of ${d.bytes} bytes exceeds the limit of ${d.limit}; split it, or send a reference`,
  MESH_MESSAGE_INVALID: (d: { reason: string }) => `invalid message: ${d.reason}`,
  /** `origin` and `id` are what the message claims; empty when unreadable. */
  MESH_SEAL_INVALID: (d: { reason: string; origin: string; id: string }) =>
    `invalid seal on a message for other meshes: ${d.reason}`,
  MESH_NOT_STARTED: (d: { what: string }) => `${d.what} needs a started node`,
  MESH_NO_LINK: (d: { peer: string }) => `no link to ${d.peer}; /api/topology lists the linked peers`,
  MESH_REQUEST_FAILED: (d: { peer: string; topic: string; cause: string }) =>
    `request "${d.topic}" to ${d.peer} failed: ${d.cause}`,
  MESH_LIMIT_REACHED: (d: { limit: string; value: number; setting?: string | undefined }) =>
    `limit reached: ${d.limit} (${d.value})${d.setting === undefined ? '' : `; ${d.setting} raises it`}`,
  MESH_PROFILE_RUNNING: (d: { kind: string; seconds: number }) =>
    `a ${d.kind} profile of ${d.seconds} s is already running; retry when it has ended`,
  MESH_PROBE_FAILED: (d: { url: string; reason: string; cure: string }) =>
    `the probe of ${d.url} failed: ${d.reason}; ${d.cure}`,
  MESH_PAGE_MISSING: (d: { directory: string }) =>
    `no page in ${d.directory}; run npm run build, or reinstall the published package`,
  MESH_SERVICE_MISSING: (d: { service: string; cure: string }) => `libp2p has no service "${d.service}"; ${d.cure}`,
  MESH_PUBSUB_UNUSABLE: (d: { service: string; reason: string; cure: string }) =>
    `the libp2p service "${d.service}" cannot be used for gossip: ${d.reason}; ${d.cure}`,
  MESH_LAB_REFUSED: (d: { what: string; why: string }) => `${d.what}: ${d.why}`,
  MESH_LAB_UNKNOWN: (d: { name: string; known: string }) => `unknown node ${d.name}; the nodes are ${d.known}`,
  MESH_STACK_UNREACHABLE: (d: { what: string; url: string; cause: string; flag: string }) =>
    `${d.what} at ${d.url} does not answer (${d.cause}); start it, or set its address with ${d.flag}`,
  MESH_STACK_UNHELD: (d: { service: string; cause: string }) =>
    `cannot stop or start ${d.service} of the stack: ${d.cause}`,
  MESH_STORE_UNUSABLE: (d: { file: string; cause: string; cure: string }) =>
    `cannot use the trace store ${d.file} (${d.cause}); ${d.cure}`,
  MESH_STORE_FULL: (d: { file: string; cause: string }) =>
    `the trace store ${d.file} cannot grow (${d.cause}); free space on its disk`,
  MESH_STACK_MISSING: (d: { binary: string; reason: string }) => `the stack needs ${d.binary}: ${d.reason}`,
  MESH_STACK_FAILED: (d: { service: string; why: string }) => `${d.service} of the stack is not running: ${d.why}`,
  MESH_TRACES_UNREACHABLE: (d: { url: string; cause: string }) =>
    `${d.url} does not answer (${d.cause}); start the trace store, or correct its address`,
  MESH_TRACES_REFUSED: (d: { url: string; status: number; reason: string }) =>
    `${d.url} answered ${d.status}: ${d.reason}`,
  MESH_SPAN_FILE_UNREADABLE: (d: { file: string; cause: string }) =>
    `cannot read ${d.file} (${d.cause}); name a file, or a directory of files, that the Collector's file exporter wrote`,
  MESH_SPANS_ABSENT: (d: { where: string; found: string; cure: string }) =>
    `no span of a mesh in ${d.where} (${d.found}); ${d.cure}`,
  MESH_TRACES_UNREADABLE: (d: { url: string; reason: string }) => `cannot read the response of ${d.url}: ${d.reason}`,
} as const

export type ErrorCode = keyof typeof errors
export type ErrorDetail<C extends ErrorCode> = Parameters<(typeof errors)[C]>[0]

export class MeshError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C
  readonly detail: ErrorDetail<C>

  constructor(code: C, detail: ErrorDetail<C>, options?: ErrorOptions) {
    super((errors[code] as (d: ErrorDetail<C>) => string)(detail), options)
    this.name = 'MeshError'
    this.code = code
    this.detail = detail
  }
}

/** Narrows an unknown error to a MeshError of this code. */
export function isMeshError<C extends ErrorCode>(error: unknown, code: C): error is MeshError<C> {
  return error instanceof MeshError && error.code === code
}

/** The message of an error; the text of anything else that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Longest text, in characters, that an error quotes. */
const maxLength = 200

/** Delimiters next to which a URL may contain credentials: user, query, fragment. */
const secretMarker = /[@?#]/

/** Quotes a configured value for an error and cuts it to 200 characters; redacts one that may contain a credential. */
export function quote(text: string): string {
  if (secretMarker.test(text)) return redact(text)
  return JSON.stringify(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text)
}

/** Placeholder for a value that may be a secret. */
export function redact(text: string): string {
  return `a text of ${text.length} characters, not shown since it may hold a secret`
}

/** The code of an error, such as `ENOENT`; its text when it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
