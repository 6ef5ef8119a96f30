import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** The fields that the tests use; the API has more. */
export interface KubeObject {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels }
  readonly data?: Labels
  readonly spec: KubeSpec
}

export interface KubeSpec {
  readonly replicas?: number
  readonly serviceName?: string
  readonly clusterIP?: string
  readonly publishNotReadyAddresses?: boolean
  readonly maxUnavailable?: number
  readonly selector: Selector & Labels
  readonly ports?: readonly { readonly port: number; readonly protocol: string; readonly targetPort: string }[]
  readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec }
  readonly jobTemplate: { readonly spec: KubeSpec }
  readonly volumeClaimTemplates?: readonly {
    readonly metadata: { readonly name: string }
    readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } }
  }[]
}

export interface PodSpec {
  readonly serviceAccountName: string
  readonly automountServiceAccountToken: boolean
  readonly securityContext: { readonly fsGroup?: number; readonly runAsUser: number }
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes?: readonly Volume[]
}

export interface Volume {
  readonly name: string
  readonly configMap?: { readonly name: string }
  readonly projected?: { readonly sources: readonly { readonly configMap: ProjectedMap }[] }
  readonly emptyDir?: { readonly sizeLimit?: string }
}

interface ProjectedMap {
  readonly name: string
  readonly items?: readonly { readonly key: string; readonly path: string }[]
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string }
  readonly tcpSocket?: { readonly port: string }
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly env?: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: {
      readonly fieldRef?: { readonly fieldPath: string }
      readonly secretKeyRef?: { readonly name: string; readonly key: string }
    }
  }[]
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly protocol: string }[]
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly resources: Readonly<Record<'requests' | 'limits', { readonly cpu: string; readonly memory: string }>>
  readonly securityContext: { readonly readOnlyRootFilesystem: boolean }
}

export interface KustomizationCheck {
  readonly objects: readonly KubeObject[]
  readonly problems: readonly string[]
}

/** Builds and checks a kustomization with the program `k8s-check` at this path. */
export async function checkKustomization(program: string, directory: string): Promise<KustomizationCheck> {
  const options = { maxBuffer: 16 << 20, timeout: 60_000 }
  const { stdout } = await promisify(execFile)(program, ['--json', directory], options).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error && 'code' in error && error.code === 1)
      return { stdout: String(error.stdout) }
    throw error
  })
  return JSON.parse(stdout) as KustomizationCheck
}

/** Objects that run pods: Deployments, StatefulSets, CronJobs. */
export function workloads(objects: readonly KubeObject[]): KubeObject[] {
  return objects.filter(({ kind }) => ['Deployment', 'StatefulSet', 'CronJob'].includes(kind))
}

export function templateOf({ kind, spec }: KubeObject): KubeSpec['template'] {
  return kind === 'CronJob' ? spec.jobTemplate.spec.template : spec.template
}

/** Mebibytes of a quantity such as 160Mi or 2Gi. */
export function mebibytes(quantity: string): number {
  const [, number = '', unit = ''] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? []
  const factor = { Mi: 1, Gi: 1_024 }[unit]
  if (factor === undefined) throw new Error(`unsupported quantity: ${quantity}`)
  return Number(number) * factor
}

/** Thousandths of a core. */
export function millicores(quantity: string): number {
  return quantity.endsWith('m') ? Number(quantity.slice(0, -1)) : Number(quantity) * 1_000
}

export type Labels = Readonly<Record<string, string>>

export interface Selector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

interface Rule {
  readonly from?: readonly { readonly podSelector: Selector }[]
  readonly to?: readonly { readonly podSelector: Selector }[]
  readonly ports?: readonly { readonly port: number; readonly protocol: string }[]
}

export interface NetworkPolicy {
  readonly spec: {
    readonly podSelector: Selector
    readonly policyTypes: readonly string[]
    readonly ingress?: readonly Rule[]
    readonly egress?: readonly Rule[]
  }
}

export function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  if (Object.entries(matchLabels).some(([key, value]) => labels[key] !== value)) return false
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const among = values.includes(labels[key] ?? '')
    if (operator === 'In') return among
    if (operator === 'NotIn') return !among
    throw new Error(`unsupported selector operator: ${operator}`)
  })
}

/** Whether a pod may open a connection to another of its namespace: the policies of both sides apply. */
export function allows(
  policies: readonly NetworkPolicy[],
  from: Labels,
  to: Labels,
  port: number,
  protocol: string,
): boolean {
  return side('Egress', from, to) && side('Ingress', to, from)

  function side(type: 'Egress' | 'Ingress', own: Labels, other: Labels): boolean {
    const applicable = policies.filter(({ spec }) => spec.policyTypes.includes(type) && selects(spec.podSelector, own))
    if (applicable.length === 0) return true
    return applicable
      .flatMap(({ spec }) => (type === 'Egress' ? spec.egress : spec.ingress) ?? [])
      .some((rule) => {
        const peers = type === 'Egress' ? rule.to : rule.from
        const isPeer = peers === undefined || peers.some(({ podSelector }) => selects(podSelector, other))
        return (
          isPeer && (rule.ports === undefined || rule.ports.some((p) => p.port === port && p.protocol === protocol))
        )
      })
  }
}
