/** Where a tenant stands: its phase and its conditions, as the API shows and the store keeps them. */
export const phases = ['Pending', 'Provisioning', 'Ready', 'Rendered', 'Degraded', 'TearingDown', 'Gone'] as const
export type Phase = (typeof phases)[number]

/** Kubernetes' condition shape. Types: Ready, Verified, NameConflict, IsolationBroken, and one per layer. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
  /** When the engine looks again, where the condition is a failure. */
  readonly nextRetryTime?: string
}
