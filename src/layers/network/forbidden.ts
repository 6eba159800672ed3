/**
 * The addresses that stay shut whatever a rule says, and those that only an explicit rule opens. Sources: the IANA
 * special-purpose registries (RFC 6890), RFC 6598, RFC 1918, RFC 4193, RFC 6052, and the clouds' metadata addresses.
 */
import type { LayerContext } from '../../model/layer.ts'
import type { AddressRange } from '../../model/ranges.ts'
import { formatRange, rangeAt, rangesOf } from './ranges.ts'

/** Where instances get credentials from, besides the link-local range: Azure's wire server, AWS on IPv6, Alibaba. */
const metadata = rangesOf([
  '169.254.169.254/32',
  '168.63.129.16/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
])

const never4 = rangesOf([
  '0.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '168.63.129.16/32',
  '192.0.0.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
])
const never6 = rangesOf([
  '::/128',
  '::1/128',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  // Ways to write an IPv4 address in IPv6: compatible, local-use NAT64, Teredo and 6to4 (mapped: see ranges.ts).
  '::/96',
  '64:ff9b:1::/48',
  '2001::/32',
  '2002::/16',
])
const private4 = rangesOf(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '198.18.0.0/15'])
const private6 = rangesOf(['fc00::/7'])

/** The well-known NAT64 prefix stays open (clusters with IPv6 alone live on it), but not for what is shut in IPv4. */
const nat64 = 0x64_ff9bn << 96n
const throughNat64 = (range: AddressRange): readonly AddressRange[] =>
  range.family === 4 ? [rangeAt(6, nat64 | range.first, 96 + range.prefix)] : []
const bothWays = (ranges: readonly AddressRange[]): readonly AddressRange[] =>
  ranges.flatMap((range) => [range, ...throughNat64(range)])

export const metadataRanges: readonly AddressRange[] = bothWays(metadata)
/** Link-local, carrier NAT, loopback, metadata, multicast and disguised IPv4. */
export const neverRanges: readonly AddressRange[] = bothWays([...never4, ...never6])
export const privateRanges: readonly AddressRange[] = bothWays([...private4, ...private6])

/** Pod, service and node ranges, as observed and as the platform document says; a range that cannot be read throws. */
export const clusterRanges = (context: LayerContext): readonly AddressRange[] =>
  bothWays(rangesOf([...(context.facts.kubernetes?.ranges ?? []), ...context.platform.kubernetes.ranges]))

export const clusterRangesKnown = (context: LayerContext): boolean =>
  (context.facts.kubernetes?.ranges.length ?? 0) + context.platform.kubernetes.ranges.length > 0

export const texts = (ranges: readonly AddressRange[]): readonly string[] => ranges.map((range) => formatRange(range))
