/**
 * The keys of an embedded cluster, kept in its folder: two authorities (etcd trusts its own only, so that no client
 * certificate of the cluster opens the store behind it) and the key of service account tokens. End certificates are
 * made anew at each start.
 */
import { join } from 'node:path'
import { openAuthority } from '../authority.ts'
import { issue, newKey, type Authority, type KeyPair } from '../certificate.ts'
import { privateFolder, readIfThere, writePrivate } from '../folder.ts'

export interface Identities {
  readonly cluster: Authority
  readonly etcd: Authority
  /** Signs what the aggregation layer says to extension API servers; trusted for nothing else. */
  readonly frontProxy: Authority
  /** Folder of the PEM files. */
  readonly dir: string
}

/** Reads the keys of this cluster, making what is not there yet. */
export async function openIdentities(dir: string): Promise<Identities> {
  await privateFolder(dir)
  const identities = {
    dir,
    cluster: await openAuthority(dir, 'cluster-ca'),
    etcd: await openAuthority(dir, 'etcd-ca'),
    frontProxy: await openAuthority(dir, 'front-proxy-ca'),
  }
  if ((await readIfThere(join(dir, 'service-account.key'))) === undefined) {
    const { key, publicKey } = newKey()
    await writePrivate(join(dir, 'service-account.pub'), publicKey)
    await writePrivate(join(dir, 'service-account.key'), key)
  }
  return identities
}

/** A client certificate: Kubernetes reads the user from CN and the groups from O. */
export const signClient = (cluster: Authority, user: string, groups: readonly string[] = []): KeyPair =>
  issue(cluster, { commonName: user, organizations: groups, use: ['client'] })

/** Makes an end certificate and writes it beside the authorities; answers the two paths. */
export async function issueFile(
  identities: Identities,
  signer: 'cluster' | 'etcd' | 'frontProxy',
  file: string,
  request: Parameters<typeof issue>[1],
): Promise<{ readonly cert: string; readonly key: string }> {
  const pair = issue(identities[signer], request)
  const paths = { cert: join(identities.dir, `${file}.crt`), key: join(identities.dir, `${file}.key`) }
  await writePrivate(paths.key, pair.key)
  await writePrivate(paths.cert, pair.cert)
  return paths
}
