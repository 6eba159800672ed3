/**
 * A kubeconfig file of one cluster and one user, everything inline.
 */
import type { ClusterAccess } from '../../model/backends.ts'

/** The file's text (JSON, which is YAML). Holds a private key: write it with mode 0600 only. */
export function kubeconfig(access: ClusterAccess, user: string, context = 'ringfence'): string {
  const data = (pem: string | undefined): string => Buffer.from(pem ?? '').toString('base64')
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: context, cluster: { server: access.server, 'certificate-authority-data': data(access.ca) } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': data(access.certificate?.cert),
          'client-key-data': data(access.certificate?.key),
        },
      },
    ],
    contexts: [{ name: context, context: { cluster: context, user } }],
    'current-context': context,
  }
  return `${JSON.stringify(document, null, 2)}\n`
}
