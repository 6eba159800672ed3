/** Judges our certificates by other implementations: Node's X.509 reader and a TLS handshake on both sides. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { issue, newAuthority, type KeyPair } from '../../../src/embedded/certificate.ts'
import { integer, oid, tagged, time } from '../../../src/embedded/der.ts'

const authority = newAuthority('test-ca')
const server = issue(authority, { commonName: 'server', use: ['server'], hosts: ['127.0.0.1', '::1', 'localhost'] })

/** What each side of a mutual TLS handshake makes of the other. */
async function handshake(client: KeyPair | undefined, trusted: string): Promise<{ server: string; client: string }> {
  // Not refusing makes the reason visible: Node otherwise only says that the connection was reset.
  const listener = createServer({ ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: false })
  const serverSees = new Promise<string>((resolve) => {
    listener.once('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => undefined)
      const { CN } = socket.getPeerCertificate().subject ?? {}
      resolve(socket.authorized ? `accepted ${String(CN)}` : `refused ${String(socket.authorizationError)}`)
    })
    listener.once('tlsClientError', (error: NodeJS.ErrnoException) => resolve(`refused ${error.code}`))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const socket = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', ca: trusted, ...client })
  const clientSees = new Promise<string>((resolve) => {
    socket.once('secureConnect', () => resolve('accepted'))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(`refused ${error.code}`))
  })
  try {
    return { client: await clientSees, server: await serverSees }
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
    listener.close()
  }
}

describe('certificates', () => {
  test('an authority verifies what it signed and not what another of the same name signed', () => {
    const ca = new X509Certificate(authority.cert)
    const impostor = newAuthority('test-ca')
    const forged = issue(impostor, { commonName: 'server', use: ['server'], hosts: ['127.0.0.1'] })
    expect(ca.ca).toBe(true)
    expect(new X509Certificate(server.cert).verify(ca.publicKey)).toBe(true)
    expect(new X509Certificate(server.cert).checkIssued(ca)).toBe(true)
    expect(new X509Certificate(forged.cert).verify(ca.publicKey)).toBe(false)
  })

  test('an end certificate is no authority and is valid only for its hosts', () => {
    const read = new X509Certificate(server.cert)
    expect(read.ca).toBe(false)
    expect(read.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(read.checkIP('::1')).toBe('::1')
    expect(read.checkIP('127.0.0.2')).toBeUndefined()
    expect(read.checkHost('localhost')).toBe('localhost')
    expect(read.checkHost('elsewhere')).toBeUndefined()
  })

  test('it is valid now, for about the days asked for', () => {
    const read = new X509Certificate(issue(authority, { commonName: 'short', use: ['client'], days: 2 }).cert)
    expect(Date.parse(read.validFrom)).toBeLessThanOrEqual(Date.now())
    const days = (Date.parse(read.validTo) - Date.now()) / 86_400_000
    expect(days).toBeGreaterThan(1.99)
    expect(days).toBeLessThan(2.01)
  })

  test('user and groups of any text are kept apart', () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text))
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 5 }), (user, groups) => {
        const subject = new X509Certificate(
          issue(authority, { commonName: user, organizations: groups, use: ['client'] }).cert,
        ).toLegacyObject().subject
        const organizations = subject['O']
        expect(subject['CN']).toBe(user)
        expect(organizations === undefined ? [] : [organizations].flat()).toEqual(groups)
      }),
      { numRuns: 40 },
    )
  })

  test('mutual TLS lets in who the authority signed, for the purpose signed for', async () => {
    const client = issue(authority, { commonName: 'client', use: ['client'] })
    expect(await handshake(client, authority.cert)).toEqual({ client: 'accepted', server: 'accepted client' })
  })

  test('mutual TLS refuses a stranger, nobody, a server posing as a client, and a server of another authority', async () => {
    const stranger = issue(newAuthority('test-ca'), { commonName: 'client', use: ['client'] })
    expect((await handshake(stranger, authority.cert)).server).toBe('refused UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    expect((await handshake(undefined, authority.cert)).server).toBe('refused UNABLE_TO_GET_ISSUER_CERT')
    expect((await handshake(server, authority.cert)).server).toBe('refused INVALID_PURPOSE')
    const client = issue(authority, { commonName: 'client', use: ['client'] })
    expect((await handshake(client, newAuthority('test-ca').cert)).client).toBe('refused SELF_SIGNED_CERT_IN_CHAIN')
  })
})

describe('DER', () => {
  test('lengths are encoded in the short form up to 127 and in the fewest octets beyond', () => {
    expect(tagged(4, Buffer.alloc(127)).subarray(0, 2).toString('hex')).toBe('047f')
    expect(tagged(4, Buffer.alloc(128)).subarray(0, 3).toString('hex')).toBe('048180')
    expect(tagged(4, Buffer.alloc(256)).subarray(0, 4).toString('hex')).toBe('04820100')
  })

  test('integers are positive and minimal', () => {
    expect(integer(Buffer.from('00007f', 'hex')).toString('hex')).toBe('02017f')
    expect(integer(Buffer.from('80', 'hex')).toString('hex')).toBe('02020080')
    expect(integer(Buffer.from('00', 'hex')).toString('hex')).toBe('020100')
  })

  test('object identifiers follow X.690 §8.19, and times change form in 2050', () => {
    expect(oid('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302')
    expect(time(new Date('2049-12-31T23:59:59Z')).toString('latin1').slice(2)).toBe('491231235959Z')
    expect(time(new Date('2050-01-01T00:00:00Z')).toString('latin1').slice(2)).toBe('20500101000000Z')
  })
})
