/** The ids of the two claims that this logic decides, and which side of a fence each is about. */
import type { Direction } from './policy.ts'

export const contained = 'network.contained'
export const fenced = 'network.fenced'
export const bothClaims = [contained, fenced] as const
export const claimOf: Readonly<Record<Direction, string>> = { egress: contained, ingress: fenced }
