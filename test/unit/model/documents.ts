/** Documents that the model's tests start from. */
import type { PlatformSpec } from '../../../src/model/platform.ts'
import { parsePlatform } from '../../../src/model/parse.ts'
import { isRingfenceError } from '../../../src/model/errors.ts'
import type { Problem } from '../../../src/model/errors.ts'

export const tenantInput = (spec: object = {}, name = 'acme'): unknown => ({
  apiVersion: 'ringfence.dev/v1alpha1',
  kind: 'Tenant',
  metadata: { name },
  spec,
})

export const platformInput = (spec: object = {}): unknown => ({
  apiVersion: 'ringfence.dev/v1alpha1',
  kind: 'Platform',
  metadata: { name: 'test' },
  spec,
})

export const platformOf = (spec: object = {}): PlatformSpec => parsePlatform(platformInput(spec)).spec

/** What the call refuses; fails the test when it throws anything but `InvalidDocument` with problems, or nothing. */
export function problemsFrom(call: () => unknown): readonly Problem[] {
  try {
    call()
  } catch (error) {
    if (isRingfenceError(error) && error.code === 'InvalidDocument' && (error.facts.problems?.length ?? 0) > 0) {
      return error.facts.problems ?? []
    }
    throw error
  }
  throw new Error('was accepted')
}
