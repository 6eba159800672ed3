/**
 * A certificate authority that is kept in a folder, so that what trusts it still does after the next start.
 */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { RingfenceError } from '../model/errors.ts'
import { newAuthority, type Authority } from './certificate.ts'
import { readIfThere, writePrivate } from './folder.ts'

/**
 * Reads the authority `ringfence-<name>` from the folder, or makes it. Throws Unreadable where what is there is
 * damaged: made anew it would silently void every certificate that was signed before.
 */
export async function openAuthority(dir: string, name: string): Promise<Authority> {
  const [certFile, keyFile] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)]
  const [cert, key] = [await readIfThere(certFile), await readIfThere(keyFile)]
  if (cert === undefined) {
    // The key is written first, so that a certificate without its key cannot come about.
    const made = newAuthority(`ringfence-${name}`)
    await writePrivate(keyFile, made.key)
    await writePrivate(certFile, made.cert)
    return made
  }
  try {
    const read = new X509Certificate(cert)
    if (key === undefined || read.subject !== `CN=ringfence-${name}`)
      throw new Error('its key is missing, or it is another one')
    if (!read.checkPrivateKey(createPrivateKey(key))) throw new Error(`its key is not ${keyFile}`)
    if (!read.verify(createPublicKey(cert))) throw new Error('it is not self-signed')
    return { name: `ringfence-${name}`, cert, key }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RingfenceError(
      'Unreadable',
      `the authority ${certFile} cannot be used: ${reason}; remove ${dir} to have new keys made`,
      { path: certFile },
      cause,
    )
  }
}
