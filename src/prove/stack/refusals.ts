/** A fault that keeps a stack from starting, and the required message of deploy/start.sh. */
export interface Refusal {
  readonly what: string
  /** Variables that cause it. */
  readonly env?: Readonly<Record<string, string>>
  /** Text to append to files of the clone that causes it. */
  readonly append?: Readonly<Record<string, string>>
  /** Uses the images of deploy/.env instead of those built here. */
  readonly online?: boolean
  readonly code: number
  /** The message: the fault and its cure. */
  readonly says: readonly RegExp[]
}

/** `bare`: a directory with the tools of the script, without Docker. */
export function refusals(takenPort: number, bare: string): readonly Refusal[] {
  return [
    {
      what: 'a port is taken',
      env: { PAGE_PORT: String(takenPort) },
      code: 1,
      says: [new RegExp(`port ${takenPort} is in use`), /change PAGE_PORT/],
    },
    {
      what: 'no Docker daemon answers',
      env: { DOCKER_HOST: 'unix:///nowhere/docker.sock' },
      code: 3,
      says: [/daemon does not answer/, /systemctl start docker/, /npm start/],
    },
    { what: 'Docker is not installed', env: { PATH: bare }, code: 3, says: [/not installed/, /Install Docker/] },
    {
      what: 'an invalid value',
      env: { NODE_MEMORY: 'lots' },
      code: 2,
      says: [/NODE_MEMORY=lots/, /such as 160m/],
    },
    {
      what: 'an unknown key',
      append: { 'deploy/.env': '\nJAEGER_PROT=16686\n' },
      code: 2,
      says: [/JAEGER_PROT .* is an unknown setting/, /JAEGER_UI_PORT/],
    },
    {
      what: 'a malformed line',
      append: { 'deploy/.env': '\nPAGE_PORT = 1\n' },
      code: 2,
      says: [/line \d+/, /KEY=value/],
    },
    {
      what: 'a broken rule file',
      append: { 'otel/rules/mesh.yml': '\n  - name: broken\n    rules: [{ alert: Broken, expr: "sum(" }]\n' },
      code: 1,
      says: [/otel\/rules/, /parse error|unclosed|unexpected/, /npm run generate/],
    },
    {
      what: 'a broken configuration of the Collector',
      append: { 'otel/collector.yaml': '\nnonsense: 1\n' },
      code: 1,
      says: [/rejects otel\/collector\.yaml/, /nonsense/, /git checkout/],
    },
    {
      what: 'a missing image',
      online: true,
      env: { COLLECTOR_IMAGE: 'tracemesh-offline/nothing:1' },
      code: 1,
      says: [/tracemesh-offline\/nothing:1 cannot be pulled/, /COLLECTOR_IMAGE/, /--offline/],
    },
    {
      what: 'nodes that need more memory than their limit',
      env: { NODE_MEMORY: '24m' },
      code: 1,
      says: [/needs more memory than its limit/, /Raise NODE_MEMORY/],
    },
  ]
}
