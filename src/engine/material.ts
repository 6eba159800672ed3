/** Makes credential material: 256 random bits in the URL-safe alphabet, never reused and never kept beyond its pass. */
import { createHash, randomBytes } from 'node:crypto'
import type { Material } from '../model/driver.ts'

export function makeMaterial(): Material {
  const clear = randomBytes(32).toString('base64url')
  return { clear, sourceFingerprint: createHash('sha256').update(clear).digest('hex') }
}
