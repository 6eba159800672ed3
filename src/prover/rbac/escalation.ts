/**
 * The escalation edges known to the field, one row each: the permission, what holding it leads to, and the command that
 * shows it. Data only; the most telling row stands first. `profile.ts` matches rules against it.
 */
import { rbacGroup } from './policy.ts'

/**
 * Where a row leads when it is held in one namespace. `accounts`: any ServiceAccount and Secret of that namespace.
 * `administration`: every verb there, the Namespace object included. `cluster`: everything. `namespace`: no further
 * than that namespace. `platform:<what>`: something that others stand on.
 */
export type Target = 'accounts' | 'administration' | 'cluster' | 'namespace' | `platform:${string}`

export interface EscalationRow {
  readonly rule: string
  readonly groups: readonly string[]
  /** With subresource where it is one. */
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  /** `cluster`: has an effect only when it is granted for the whole cluster. */
  readonly scope: 'namespaced' | 'cluster'
  readonly leadsTo: Target
  readonly why: string
  /** kubectl arguments that show it; a question to the authorizer where none are given. */
  readonly act?: string
  /** Held in this namespace alone; elsewhere the row does not apply. */
  readonly onlyIn?: string
}

const change = ['create', 'update', 'patch'] as const
const modify = ['update', 'patch'] as const
const write = [...change, 'delete', 'deletecollection'] as const
const read = ['get', 'list', 'watch'] as const
const every = [...read, ...write] as const

type Row = Omit<EscalationRow, 'groups'> & { readonly group: string }
const row = ({ group, ...rest }: Row): EscalationRow => ({ groups: [group], ...rest })
const admission = 'admissionregistration.k8s.io'
const certificates = 'certificates.k8s.io'

/** Held for the whole cluster only: the resources live outside namespaces. */
const clusterRows: readonly EscalationRow[] = [
  row({ rule: 'users.impersonate', group: '', resources: ['users'], verbs: ['impersonate'], scope: 'cluster', leadsTo: 'cluster', why: 'acts as any user' }),
  row({ rule: 'groups.impersonate', group: '', resources: ['groups'], verbs: ['impersonate'], scope: 'cluster', leadsTo: 'cluster', why: 'acts as a member of any group, system:masters included' }),
  row({ rule: 'uids.impersonate', group: 'authentication.k8s.io', resources: ['uids'], verbs: ['impersonate'], scope: 'cluster', leadsTo: 'cluster', why: 'passes for another user where uids decide' }),
  row({ rule: 'userextras.impersonate', group: 'authentication.k8s.io', resources: ['userextras', 'userextras/scopes'], verbs: ['impersonate'], scope: 'cluster', leadsTo: 'cluster', why: 'passes for another user where extra fields decide' }),
  row({ rule: 'csr.approve', group: certificates, resources: ['certificatesigningrequests/approval'], verbs: modify, scope: 'cluster', leadsTo: 'cluster', why: 'approves a client certificate for any name' }),
  row({ rule: 'csr.sign', group: certificates, resources: ['certificatesigningrequests/status'], verbs: modify, scope: 'cluster', leadsTo: 'cluster', why: 'puts a certificate of its choice into a request' }),
  row({ rule: 'csr.approve', group: certificates, resources: ['signers'], verbs: ['approve'], scope: 'cluster', leadsTo: 'cluster', why: 'approves a client certificate for any name' }),
  row({ rule: 'csr.sign', group: certificates, resources: ['signers'], verbs: ['sign', 'attest'], scope: 'cluster', leadsTo: 'cluster', why: 'signs in the name of a signer that others trust' }),
  row({ rule: 'csr.node', group: certificates, resources: ['certificatesigningrequests/nodeclient', 'certificatesigningrequests/selfnodeclient'], verbs: ['create'], scope: 'cluster', leadsTo: 'cluster', why: 'has a node certificate approved without a person' }),
  row({ rule: 'nodes.proxy', group: '', resources: ['nodes/proxy'], verbs: every, scope: 'cluster', leadsTo: 'cluster', why: 'runs commands in any pod through the kubelet, by get alone' }),
  row({ rule: 'nodes.status', group: '', resources: ['nodes/status'], verbs: modify, scope: 'cluster', leadsTo: 'cluster', why: 'redirects what the API server sends to a kubelet' }),
  row({ rule: 'nodes.write', group: '', resources: ['nodes'], verbs: write, scope: 'cluster', leadsTo: 'cluster', why: 'draws the pods of others to a node of its choice' }),
  row({ rule: 'webhooks.write', group: admission, resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'], verbs: write, scope: 'cluster', leadsTo: 'cluster', why: 'sees and rewrites every object on its way in, or switches a guard off' }),
  row({
    rule: 'admission-policies.write', group: admission,
    resources: ['validatingadmissionpolicies', 'validatingadmissionpolicybindings', 'mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'],
    verbs: write, scope: 'cluster', leadsTo: 'cluster', why: 'switches the admission fences off, or rewrites objects on their way in',
  }),
  row({ rule: 'apiservices.write', group: 'apiregistration.k8s.io', resources: ['apiservices'], verbs: write, scope: 'cluster', leadsTo: 'cluster', why: 'answers for a whole API group' }),
  row({ rule: 'crds.write', group: 'apiextensions.k8s.io', resources: ['customresourcedefinitions', 'customresourcedefinitions/status'], verbs: write, scope: 'cluster', leadsTo: 'cluster', why: 'sees and rewrites custom resources through a conversion webhook' }),
  row({ rule: 'persistentvolumes.write', group: '', resources: ['persistentvolumes'], verbs: change, scope: 'cluster', leadsTo: 'cluster', why: 'mounts a host path, or the volume of another' }),
  row({ rule: 'clusterroles.escalate', group: rbacGroup, resources: ['clusterroles'], verbs: ['escalate'], scope: 'cluster', leadsTo: 'cluster', why: 'gives a role rights that its author does not hold' }),
  row({ rule: 'clusterroles.write', group: rbacGroup, resources: ['clusterroles'], verbs: write, scope: 'cluster', leadsTo: 'platform:clusterroles', why: 'changes what others are granted, by aggregation labels too' }),
  row({ rule: 'clusterrolebindings.write', group: rbacGroup, resources: ['clusterrolebindings'], verbs: write, scope: 'cluster', leadsTo: 'platform:clusterrolebindings', why: 'lets others in everywhere, or locks them out' }),
  row({ rule: 'reviews.create', group: 'authentication.k8s.io', resources: ['tokenreviews'], verbs: ['create'], scope: 'cluster', leadsTo: 'platform:reviews', why: 'learns whose a token is' }),
  row({ rule: 'namespaces.create', group: '', resources: ['namespaces'], verbs: ['create'], scope: 'cluster', leadsTo: 'platform:namespaces', why: 'makes namespaces with labels that others trust' }),
] // prettier-ignore

const workloads: readonly Omit<EscalationRow, 'rule' | 'leadsTo' | 'scope' | 'why'>[] = [
  { groups: [''], resources: ['pods'], verbs: ['create'], act: "run probe --image=registry.k8s.io/pause --dry-run=server" },
  { groups: ['', 'apps', 'batch', 'extensions'], resources: ['replicationcontrollers', 'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'jobs', 'cronjobs'], verbs: change },
] // prettier-ignore

/** What `pods.create` is: making something that runs, under any ServiceAccount of the namespace. */
export const runsPods = 'pods.create'

/** Held in a namespace, or in all of them. */
const namespacedRows: readonly EscalationRow[] = [
  row({ rule: 'roles.bind', group: rbacGroup, resources: ['roles', 'clusterroles'], verbs: ['bind'], scope: 'namespaced', leadsTo: 'administration', why: 'binds a role that it does not hold itself' }),
  row({ rule: 'roles.escalate', group: rbacGroup, resources: ['roles'], verbs: ['escalate'], scope: 'namespaced', leadsTo: 'administration', why: 'gives a role rights that its author does not hold' }),
  row({ rule: 'namespaces.modify', group: '', resources: ['namespaces', 'namespaces/status', 'namespaces/finalize'], verbs: modify, scope: 'namespaced', leadsTo: 'cluster', why: 'takes off the pod security label, and with a privileged pod a node' }),
  row({ rule: 'configmaps.authority', group: '', resources: ['configmaps'], verbs: change, scope: 'namespaced', leadsTo: 'cluster', why: 'says who is who (aws-auth, extension-apiserver-authentication)', onlyIn: 'kube-system' }),
  row({ rule: 'secrets.read', group: '', resources: ['secrets'], verbs: read, scope: 'namespaced', leadsTo: 'accounts', why: 'reads ServiceAccount tokens and every credential there', act: 'get secrets' }),
  row({ rule: 'serviceaccounts.token', group: '', resources: ['serviceaccounts/token'], verbs: ['create'], scope: 'namespaced', leadsTo: 'accounts', why: 'has a token made for any ServiceAccount', act: 'create token default' }),
  row({ rule: 'serviceaccounts.impersonate', group: '', resources: ['serviceaccounts'], verbs: ['impersonate'], scope: 'namespaced', leadsTo: 'accounts', why: 'acts as any ServiceAccount' }),
  row({ rule: 'secrets.create', group: '', resources: ['secrets'], verbs: change, scope: 'namespaced', leadsTo: 'accounts', why: 'has a token put into a Secret of the type service-account-token' }),
  ...workloads.map((part): EscalationRow => ({ ...part, rule: runsPods, scope: 'namespaced', leadsTo: 'accounts', why: 'runs a pod as any ServiceAccount, with any Secret mounted' })),
  row({ rule: 'pods.exec', group: '', resources: ['pods/exec'], verbs: ['create', 'get'], scope: 'namespaced', leadsTo: 'accounts', why: 'runs commands in pods' }),
  row({ rule: 'pods.attach', group: '', resources: ['pods/attach'], verbs: ['create', 'get'], scope: 'namespaced', leadsTo: 'accounts', why: 'takes over the input of what runs in pods' }),
  row({ rule: 'pods.ephemeralcontainers', group: '', resources: ['pods/ephemeralcontainers'], verbs: modify, scope: 'namespaced', leadsTo: 'accounts', why: 'runs an image of its choice in a pod' }),
  row({ rule: 'pods.images', group: '', resources: ['pods'], verbs: modify, scope: 'namespaced', leadsTo: 'accounts', why: 'puts an image of its choice into a running pod' }),
  row({ rule: 'pods.portforward', group: '', resources: ['pods/portforward'], verbs: ['create', 'get'], scope: 'namespaced', leadsTo: 'accounts', why: 'reaches ports of pods past every network policy' }),
  row({ rule: 'pods.proxy', group: '', resources: ['pods/proxy'], verbs: every, scope: 'namespaced', leadsTo: 'accounts', why: 'reaches ports of pods past every network policy' }),
  row({ rule: 'services.proxy', group: '', resources: ['services/proxy'], verbs: every, scope: 'namespaced', leadsTo: 'accounts', why: 'reaches ports of pods past every network policy' }),
  row({ rule: 'pods.status', group: '', resources: ['pods/status'], verbs: modify, scope: 'namespaced', leadsTo: 'platform:proxies', why: 'gives a pod the address of another, so that traffic and proxies go there' }),
  row({ rule: 'endpoints.write', group: '', resources: ['endpoints'], verbs: change, scope: 'namespaced', leadsTo: 'platform:proxies', why: 'points a Service, and what proxies for it, at any address' }),
  row({ rule: 'endpoints.write', group: 'discovery.k8s.io', resources: ['endpointslices'], verbs: change, scope: 'namespaced', leadsTo: 'platform:proxies', why: 'points a Service, and what proxies for it, at any address' }),
  row({ rule: 'services.status', group: '', resources: ['services/status'], verbs: modify, scope: 'namespaced', leadsTo: 'platform:proxies', why: 'claims an address of others as its load balancer (CVE-2020-8554)' }),
  row({ rule: 'quotas.write', group: '', resources: ['resourcequotas', 'limitranges', 'resourcequotas/status'], verbs: write, scope: 'namespaced', leadsTo: 'platform:capacity', why: 'takes the share of others' }),
  row({ rule: 'namespaces.delete', group: '', resources: ['namespaces'], verbs: ['delete', 'deletecollection'], scope: 'namespaced', leadsTo: 'platform:fences', why: 'takes the network policies away before the pods (CVE-2024-7598)' }),
  row({ rule: 'networkpolicies.write', group: 'networking.k8s.io', resources: ['networkpolicies'], verbs: write, scope: 'namespaced', leadsTo: 'namespace', why: 'opens or removes network fences' }),
  row({ rule: 'rolebindings.write', group: rbacGroup, resources: ['rolebindings', 'roles'], verbs: write, scope: 'namespaced', leadsTo: 'namespace', why: 'says who may do what' }),
  row({ rule: 'services.write', group: '', resources: ['services'], verbs: change, scope: 'namespaced', leadsTo: 'namespace', why: 'claims traffic to other addresses through externalIPs (CVE-2020-8554)' }),
] // prettier-ignore

export const escalations: readonly EscalationRow[] = [...clusterRows, ...namespacedRows]
