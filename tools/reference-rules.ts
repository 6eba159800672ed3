/** What the reference pages say beyond the schema: the rules of `src/model/rules`, in words. */
import type { DocumentKind } from '../src/model/json-schema.ts'

interface Page {
  readonly intro: string
  readonly rules: readonly string[]
}

export const referenceRules: { readonly [kind in DocumentKind]: Page } = {
  Tenant: {
    intro:
      'A tenant is a customer, a department, a project, a team workspace or a pilot. The document says what it is to have; the\n' +
      'control plane makes it, keeps it, proves it isolated, and takes it down again. The same document is the custom resource\n' +
      '`tenants.ringfence.dev`. Examples are in [`examples/`](../../examples).',
    rules: [
      '**Names.** Reserved: `default`, `system`, `shared`, `platform`, `kube-*`, `ringfence*`, and what the platform adds. Derived names are made from the platform’s patterns when the tenant is created, claimed before anything is made, and locked for its life: a new slug renames nothing. A name that does not fit is refused, never shortened.',
      '**Immutable**: `metadata.name`; `compute.namespace.name`, `create` and `adopt`; `database.mode` once there is a database. The last owner cannot be removed.',
      '**Namespaces.** An explicit name may not be Kubernetes’ own, the platform’s, another tenant’s, nor one that the platform’s pattern keeps for another. `adopt` takes over only what is named explicitly.',
      '**Labels and tags.** Keys of `kubernetes.io`, `k8s.io` and `ringfence.dev` are not a tenant’s to set. Tags follow the rules for labels.',
      '**Quota.** Only resources that Kubernetes can limit; counts are whole numbers; `services.nodeports` stays 0.',
      '**Peers.** A rule names its peers. A selector of namespaces must name them by `kubernetes.io/metadata.name`, and only namespaces that the platform document names; outwards, of those that are not shared, only the pods and ports that the platform offers. Empty selectors are refused.',
      '**Address ranges** have no host bits and never reach link-local and metadata addresses, carrier NAT (100.64.0.0/10), loopback, multicast, addresses that translate to IPv4, or the cluster’s pod, service and node ranges, unless `except` leaves exactly those out. Private ranges are refused while the cluster’s are not known.',
      '**Domains.** `egress.fqdns` and `allowExternalAPIs: true` exclude each other. Domain rules need Cilium, or Calico with domain rules; they are refused where neither is.',
      '**`allowPrivateNetworks`** is refused in production.',
      '**Access.** Groups and users of Kubernetes (`system:*`), of the control plane (`ringfence:*`), of the platform (break-glass, trusted) and those that another tenant binds are refused, and so are service accounts of another tenant’s namespace, of a namespace that could become one, of `kube-*` and of the control plane. A direct grant whose time is past is refused.',
      '**Not configured yet**, and refused by name when asked for: storage, lakehouse, identity, secrets, keys, policy, cache, search, dns, cloudIdentity, dedicated and federated databases, shared isolation, hierarchy (`parent`), modules, custom counters, a fixed outgoing address, residency, anonymous access, notice periods and legal holds.',
      '**Any input.** At most 24 levels, 20,000 values and 1,048,576 characters; control characters, direction overrides and halves of surrogate pairs are refused in every text.',
    ],
  },
  Platform: {
    intro:
      'The platform document holds what tenants do not decide. Without one, `ringfence up` uses defaults that remove whatever\n' +
      'breaks isolation. A preset (`calabi`, `akko`, `omnia`, `aifactory`) gives the names, defaults and quotas of that system;\n' +
      'what the document says wins over it, field by field, and a map keeps the entries that the document does not name.',
    rules: [
      '**Patterns** use `<name>`, `<slug>` and `<uid>` and nothing else in angle brackets. Names of things that are not inside a tenant’s namespace must use at least one. The database’s owner and its login need two patterns.',
      '**Changing a pattern** renames no tenant that exists.',
      '**Namespaces**: the control plane’s own may not be Kubernetes’ or shared; Kubernetes’ own cannot be shared.',
      '**Ranges and resolvers** are address ranges without host bits.',
      '**Quota** follows the same rules as in tenant documents.',
    ],
  },
}
