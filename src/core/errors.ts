/** Every error of this project: a code, what it carries, and what to do about it. */
const errors = {
  MESH_CONFIG_INVALID: (d: { key: string; given: string; expected: string }) =>
    `${d.key} is ${d.given}; expected ${d.expected}`,
  MESH_CONFIG_UNKNOWN: (d: { key: string; nearest: string }) =>
    `${d.key} is no setting of tracemesh${d.nearest === '' ? '' : `; did you mean ${d.nearest}?`}`,
  MESH_PORT_TAKEN: (d: { key: string; address: string }) =>
    `${d.key}: ${d.address} is in use; stop what listens there, or choose another port (0 picks a free one)`,
  MESH_IDENTITY_UNREADABLE: (d: { file: string; cause: string }) =>
    `the identity in ${d.file} cannot be used (${d.cause}); restore it from a backup, or remove it to get a new identity`,
  MESH_IDENTITY_EXPOSED: (d: { file: string; mode: string }) =>
    `the identity in ${d.file} is open to other users (mode ${d.mode}); run chmod 600 on it, or remove it to get a new identity`,
  MESH_IDENTITY_COUNTER: (d: { file: string; cause: string }) =>
    `the count of starts in ${d.file} cannot be kept (${d.cause}); make its directory writable`,
  MESH_OWNER_CLOSED: (d: { owner: string; resource: string }) =>
    `${d.owner} is closed and cannot take on ${d.resource}`,
  MESH_RELEASE_FAILED: (d: { owner: string; steps: string }) => `${d.owner} did not close cleanly: ${d.steps}`,
  MESH_STEP_TIMEOUT: (d: { step: string; ms: number }) => `${d.step} did not finish within ${d.ms} ms`,
  MESH_FRAME_INVALID: (d: { reason: string }) => `a frame was refused: ${d.reason}`,
  MESH_MESSAGE_TOO_LARGE: (d: { bytes: number; limit: number }) =>
    `a message of ${d.bytes} bytes is above the limit of ${d.limit}; send it in parts, or by reference`,
  MESH_MESSAGE_INVALID: (d: { reason: string }) => `a message was refused: ${d.reason}`,
  /** `origin` and `id` as claimed; empty when they could not be read. */
  MESH_SEAL_INVALID: (d: { reason: string; origin: string; id: string }) =>
    `a message that was to cross was refused: ${d.reason}`,
  MESH_NOT_STARTED: (d: { what: string }) => `${d.what} needs a started node`,
  MESH_NO_LINK: (d: { peer: string }) => `there is no link to ${d.peer}; check /api/topology for who is linked`,
  MESH_REQUEST_FAILED: (d: { peer: string; topic: string; cause: string }) =>
    `the request "${d.topic}" to ${d.peer} failed: ${d.cause}`,
  MESH_LIMIT_REACHED: (d: { limit: string; value: number }) => `${d.limit} is reached (${d.value})`,
  MESH_PROFILE_RUNNING: (d: { kind: string; seconds: number }) =>
    `a ${d.kind} profile of ${d.seconds} s is being taken, one at a time; ask again when it has ended`,
  MESH_PAGE_MISSING: (d: { directory: string }) =>
    `the page is not in ${d.directory}; run npm run build, or install the published package again`,
  MESH_SERVICE_MISSING: (d: { service: string; cure: string }) => `libp2p has no service "${d.service}"; ${d.cure}`,
  MESH_PUBSUB_UNUSABLE: (d: { service: string; reason: string; cure: string }) =>
    `the libp2p service "${d.service}" cannot gossip here: ${d.reason}; ${d.cure}`,
  MESH_LAB_REFUSED: (d: { what: string; why: string }) => `${d.what}: ${d.why}`,
  MESH_LAB_UNKNOWN: (d: { name: string; known: string }) => `there is no node ${d.name}; there are ${d.known}`,
  MESH_STACK_UNREACHABLE: (d: { what: string; url: string; cause: string; flag: string }) =>
    `${d.what} at ${d.url} does not answer (${d.cause}); check that it runs, or say where it is with ${d.flag}`,
  MESH_STACK_UNHELD: (d: { service: string; cause: string }) =>
    `${d.service} of the stack can be neither stopped nor started: ${d.cause}`,
  MESH_STORE_UNUSABLE: (d: { file: string; cause: string; cure: string }) =>
    `the trace store ${d.file} cannot be used (${d.cause}); ${d.cure}`,
  MESH_STORE_FULL: (d: { file: string; cause: string }) =>
    `the trace store ${d.file} cannot grow (${d.cause}); make room on its disk`,
  MESH_STACK_MISSING: (d: { binary: string; reason: string }) => `the stack needs ${d.binary}: ${d.reason}`,
  MESH_STACK_FAILED: (d: { service: string; why: string }) => `${d.service} of the stack does not run: ${d.why}`,
  MESH_TRACES_UNREACHABLE: (d: { url: string; cause: string }) =>
    `${d.url} does not answer (${d.cause}); check that the trace store runs and listens there`,
  MESH_TRACES_REFUSED: (d: { url: string; status: number; reason: string }) =>
    `${d.url} answered ${d.status}: ${d.reason}`,
  MESH_TRACES_UNREADABLE: (d: { url: string; reason: string }) => `the answer of ${d.url} cannot be read: ${d.reason}`,
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

/** Narrows an unknown failure to one of ours. */
export function isMeshError<C extends ErrorCode>(error: unknown, code: C): error is MeshError<C> {
  return error instanceof MeshError && error.code === code
}
