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
