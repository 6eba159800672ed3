/** What `ringfence up` was asked for; carried out by whoever wires the product together. */
export interface UpOptions {
  /** Provision the example tenants, print a tour, and keep serving. */
  readonly demo: boolean
  /** Tell every event, instead of counts. */
  readonly verbose?: boolean
  /** Start nothing: print what an administrator applies to a cluster first. */
  readonly printRights?: boolean
  /** Port of the API on loopback; 0 takes a free one. */
  readonly port?: number
  /** Absolute. */
  readonly dataDir: string
  /** A context of the person's kubeconfig; nothing is ever applied to a cluster that was not named. */
  readonly context?: string
  readonly inCluster: boolean
  readonly kubernetes: 'embedded' | 'render'
  /** Absolute path of a platform document. */
  readonly platform?: string
}
