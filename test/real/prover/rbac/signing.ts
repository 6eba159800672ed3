/** A certificate request (PKCS #10, RFC 2986) for a user name, without the openssl that a machine may lack. */
import { createPublicKey, sign } from 'node:crypto'
import { newKey } from '../../../../src/embedded/certificate.ts'
import { bits, integer, oid, sequence, setOf, tagged, utf8 } from '../../../../src/embedded/der.ts'

export function signRequest(user: string): { readonly request: string; readonly key: string } {
  const { key, publicKey } = newKey()
  const name = sequence(setOf(sequence(oid('2.5.4.3'), utf8(user))))
  const info = sequence(
    integer(Buffer.from([0])),
    name,
    createPublicKey(publicKey).export({ type: 'spki', format: 'der' }),
    tagged(0xa0),
  )
  const signature = sign('sha256', info, key)
  const der = sequence(info, sequence(oid('1.2.840.10045.4.3.2')), bits(signature))
  const lines = der.toString('base64').replaceAll(/.{1,64}/g, '$&\n')
  return { request: `-----BEGIN CERTIFICATE REQUEST-----\n${lines}-----END CERTIFICATE REQUEST-----\n`, key }
}
