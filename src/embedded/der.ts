/**
 * The few DER encodings (ITU-T X.690) that an X.509 certificate is made of. Knows nothing of certificates.
 */
function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes])
  const octets: number[] = []
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return Buffer.from([0x80 | octets.length, ...octets])
}

export const tagged = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag]), length(body.length), body])
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => tagged(0x30, ...items)
export const setOf = (...items: readonly Uint8Array[]): Buffer => tagged(0x31, ...items)
export const octets = (content: Uint8Array): Buffer => tagged(0x04, content)
export const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text, 'utf8'))
export const truth = (value: boolean): Buffer => tagged(0x01, Buffer.from([value ? 0xff : 0]))

/** BIT STRING; `unused` counts the bits of the last octet that do not belong to it. */
export const bits = (content: Uint8Array, unused = 0): Buffer => tagged(0x03, Buffer.from([unused]), content)

/** INTEGER from the big-endian octets of a number that is not negative. */
export function integer(bigEndian: Uint8Array): Buffer {
  let first = 0
  while (first < bigEndian.length - 1 && bigEndian[first] === 0) first++
  const digits = bigEndian.subarray(first)
  return (digits[0] ?? 0) < 0x80 ? tagged(0x02, digits) : tagged(0x02, Buffer.from([0]), digits)
}

/** OBJECT IDENTIFIER from dotted notation. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const content = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc % 128]
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) groups.unshift((high % 128) | 0x80)
    content.push(...groups)
  }
  return tagged(0x06, Buffer.from(content))
}

/** Time in the form that RFC 5280 §4.1.2.5 asks for: UTCTime until 2049, GeneralizedTime after. */
export function time(at: Date): Buffer {
  const digits = `${at.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  return at.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits))
}
