import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Labels, Selector } from './network-policies.ts'

/** The fields that the tests use; the API has more. */
export interface KubeObject {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
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
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
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
  readonly projected?: { readonly sources: readonly { readonly configMap: { readonly name: string } }[] }
  readonly emptyDir?: { readonly sizeLimit?: string }
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
