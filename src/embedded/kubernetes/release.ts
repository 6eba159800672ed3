/** Which Kubernetes this is. `build/go.mod` pins the same versions; a test compares them. */
export const kubernetesVersion = 'v1.35.4'
export const etcdVersion = '3.6.5'

/** In the order in which they are needed. */
export const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const
export type Program = (typeof programs)[number]
