/**
 * Whether a well-formed tenant document may be stored on this platform, beside these tenants. Pure: the same answer
 * whenever it is asked. Nothing is stored or changed for a document that is refused here.
 */
import type { Problem } from './errors.ts'
import { derivedNames, sampleUid, slugOf } from './names.ts'
import { invalidDocument } from './problems.ts'
import { accessProblems } from './rules/access.ts'
import { computeProblems } from './rules/compute.ts'
import { configuredProblems } from './rules/configured.ts'
import type { AdmissionContext } from './rules/context.ts'
import { identityProblems } from './rules/identity.ts'
import { networkProblems } from './rules/network.ts'
import type { TenantDocument } from './tenant.ts'

export type { AdmissionContext, OtherTenant } from './rules/context.ts'

/** Every rule that the document breaks; empty when it may be stored. */
export function admissionProblems(document: TenantDocument, context: AdmissionContext): readonly Problem[] {
  const { name } = document.metadata
  const others = context.others.filter((other) => other.name !== name)
  const admission = { ...context, others, document, namespace: namespaceFor(document, context) }
  const rules = [identityProblems, configuredProblems, computeProblems, networkProblems, accessProblems]
  return rules.flatMap((rule) => rule(admission))
}

/** Throws `InvalidDocument` with every problem of the document, or returns. */
export function admitTenant(document: TenantDocument, context: AdmissionContext): void {
  const problems = admissionProblems(document, context)
  if (problems.length > 0) throw invalidDocument(`the document of tenant ${document.metadata.name}`, problems)
}

function namespaceFor(document: TenantDocument, { existing, platform }: AdmissionContext): string {
  if (existing !== undefined) return existing.names.namespace
  const { name } = document.metadata
  const sample = { name, slug: slugOf({ name, spec: document.spec }), uid: sampleUid, spec: document.spec }
  return derivedNames(platform, sample).names.namespace
}
