/**
 * X.509 certificates (RFC 5280) for servers of our own: an authority, and what it signs. ECDSA on P-256 with SHA-256
 * throughout. It exists because Node can read certificates and make keys, but not make certificates, and a clean
 * machine need not have `openssl`.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import { bits, integer, octets, oid, sequence, setOf, tagged, time, truth, utf8 } from './der.ts'

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** Who signs: a self-signed certificate authority, named so that what it signs can name it. */
export interface Authority extends KeyPair {
  readonly name: string
}

interface Subject {
  readonly commonName: string
  readonly organizations?: readonly string[]
}

const dayMs = 86_400_000
const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'))

const attribute = (type: string, value: string): Buffer => setOf(sequence(oid(type), utf8(value)))

const distinguishedName = (subject: Subject): Buffer =>
  sequence(
    ...(subject.organizations ?? []).map((name) => attribute('2.5.4.10', name)),
    attribute('2.5.4.3', subject.commonName),
  )

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  critical ? sequence(oid(id), truth(true), octets(value)) : sequence(oid(id), octets(value))

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`

const keyUsage = (octet: number, unused: number): Buffer =>
  extension('2.5.29.15', true, bits(Buffer.from([octet]), unused))

/** Key identifier of RFC 5280 §4.2.1.2 method 1, over the whole SubjectPublicKeyInfo (any stable digest will do). */
const keyId = (spki: Buffer): Buffer => createHash('sha1').update(spki).digest()

function subjectAlternativeName(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) => {
    if (isIP(host) === 4) return tagged(0x87, Buffer.from(host.split('.').map(Number)))
    if (host === '::1') return tagged(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])]))
    return tagged(0x82, Buffer.from(host, 'latin1'))
  })
  return extension('2.5.29.17', false, sequence(...names))
}

interface Body {
  readonly issuer: Subject
  readonly subject: Subject
  readonly days: number
  readonly spki: Buffer
  readonly extensions: readonly Buffer[]
  readonly signingKey: string
}

function certificate(body: Body): string {
  const now = Date.now()
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const signed = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    ecdsaWithSha256,
    distinguishedName(body.issuer),
    // An hour back: a clock that was set right after the first start must not void what was made before.
    sequence(time(new Date(now - 3_600_000)), time(new Date(now + body.days * dayMs))),
    distinguishedName(body.subject),
    body.spki,
    tagged(0xa3, sequence(...body.extensions)),
  )
  return pem(sequence(signed, ecdsaWithSha256, bits(sign('sha256', signed, createPrivateKey(body.signingKey)))))
}

/** A fresh P-256 key. */
export function newKey(): { readonly key: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return { key: privateKey, publicKey }
}

const spkiOf = (pemText: string): Buffer => createPublicKey(pemText).export({ type: 'spki', format: 'der' })

/** A new self-signed authority, good for ten years, that may sign end certificates only. */
export function newAuthority(name: string): Authority {
  const { key, publicKey } = newKey()
  const spki = spkiOf(publicKey)
  const subject = { commonName: name }
  const extensions = [
    extension('2.5.29.19', true, sequence(truth(true), integer(Buffer.from([0])))),
    keyUsage(0b0000_0110, 1),
    extension('2.5.29.14', false, octets(keyId(spki))),
  ]
  return { name, key, cert: certificate({ issuer: subject, subject, days: 3650, spki, extensions, signingKey: key }) }
}

export interface Request extends Subject {
  /** `server` needs `hosts`: DNS names, IPv4 addresses or `::1`. A peer of a cluster is both. */
  readonly use: readonly ('server' | 'client')[]
  readonly hosts?: readonly string[]
  readonly days?: number
}

/** A new key and a certificate for it, signed by the authority. */
export function issue(authority: Authority, request: Request): KeyPair {
  const { key, publicKey } = newKey()
  const spki = spkiOf(publicKey)
  const purposes = request.use.map((use) => oid(use === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2'))
  const extensions = [
    extension('2.5.29.19', true, sequence()),
    keyUsage(0b1000_0000, 7),
    extension('2.5.29.37', false, sequence(...purposes)),
    extension('2.5.29.35', false, sequence(tagged(0x80, keyId(spkiOf(authority.cert))))),
    ...(request.hosts === undefined ? [] : [subjectAlternativeName(request.hosts)]),
  ]
  const issuer = { commonName: authority.name }
  const cert = certificate({
    issuer,
    subject: request,
    days: request.days ?? 398,
    spki,
    extensions,
    signingKey: authority.key,
  })
  return { key, cert }
}
