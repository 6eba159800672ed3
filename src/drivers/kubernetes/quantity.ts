/** Kubernetes quantities in one spelling, so that `1000m` and `1` or `1Gi` and `1073741824` do not count as drift. */

const suffixes: { readonly [suffix: string]: readonly [base: bigint, exponent: bigint] } = {
  n: [10n, -9n],
  u: [10n, -6n],
  m: [10n, -3n],
  '': [10n, 0n],
  k: [10n, 3n],
  M: [10n, 6n],
  G: [10n, 9n],
  T: [10n, 12n],
  P: [10n, 15n],
  E: [10n, 18n],
  Ki: [2n, 10n],
  Mi: [2n, 20n],
  Gi: [2n, 30n],
  Ti: [2n, 40n],
  Pi: [2n, 50n],
  Ei: [2n, 60n],
}

/**
 * The value in whole units where it is whole, else in nano units; what cannot be parsed is returned as it is, and
 * then only equals itself. Below a nano unit the API rounds up, and so does this (apimachinery `resource.Quantity`).
 */
export function canonicalQuantity(quantity: string): string {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?$/.exec(quantity)
  const [, sign, whole = '', fraction = '', suffix = '', exponent] = match ?? []
  if (!match || (whole === '' && fraction === '')) return quantity
  const digits = BigInt(`${whole}${fraction}` || '0')
  const [base, power] = exponent === undefined ? (suffixes[suffix] ?? [10n, 0n]) : [10n, BigInt(exponent)]
  let numerator = digits * 1_000_000_000n
  let denominator = 10n ** BigInt(fraction.length)
  if (power >= 0n) numerator *= base ** power
  else denominator *= base ** -power
  const nano = (numerator + denominator - 1n) / denominator
  const text = nano % 1_000_000_000n === 0n ? String(nano / 1_000_000_000n) : `${nano}n`
  return sign === '-' && nano !== 0n ? `-${text}` : text
}
