/**
 * The scalar types of the documents. Patterns are kept to the syntax that JSON Schema, CRDs (RE2, no look-arounds)
 * and JavaScript share.
 */
import { z } from 'zod'

const pattern = (regex: RegExp, what: string) => z.string().regex(regex, what)

/** RFC 1123 label: at most 63 of a-z, 0-9 and `-`, starting and ending with a letter or digit. */
export const dnsLabel = pattern(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  'a DNS label: 1-63 of a-z, 0-9 and "-", not at either end',
)
/** SPEC §1: a DNS label of 2-40 characters that starts with a letter; `--` is refused by a rule of its own. */
export const tenantName = pattern(
  /^[a-z](-?[a-z0-9]){1,39}$/,
  'a tenant name: 2-40 of a-z, 0-9 and "-", starting with a letter, not ending with "-", without "--"',
).max(40)
export const dnsSubdomain = pattern(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
  'a DNS name in lower case',
).max(253)
export const email = pattern(
  /^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$/,
  'an e-mail address',
).max(254)
/** Kubernetes label or annotation key. */
export const labelKey = pattern(
  /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
  'a Kubernetes label key',
).max(317)
export const labelValue = pattern(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, 'a Kubernetes label value').max(
  63,
)
/** Kubernetes quantity, e.g. `500m`, `64Gi`, `20`. */
export const quantity = z.union(
  [
    z.int().min(0).transform(String),
    pattern(
      /^[0-9]{1,15}(\.[0-9]{1,6})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/,
      'a Kubernetes quantity such as 500m, 2 or 64Gi',
    ).max(32),
  ],
  'a Kubernetes quantity such as 500m, 2 or 64Gi',
)
export const portNumber = z.int().min(1).max(65_535)
/** IPv4 or IPv6 range; exact syntax and host bits are checked when the document is admitted. */
export const cidr = pattern(/^[0-9a-fA-F.:]{2,45}\/[0-9]{1,3}$/, 'an address range such as 10.0.0.0/8 or fd00::/8')
