/**
 * The verifier that PostgreSQL keeps of a password (RFC 5803, SCRAM-SHA-256), so that the password itself is never
 * part of a statement.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/** `password` must be ASCII: then SASLprep (RFC 4013) leaves it as it is. */
export function scramVerifier(password: string, iterations = 4096): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const mac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const stored = createHash('sha256').update(mac('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${mac('Server Key').toString('base64')}`
}
