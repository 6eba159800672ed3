/**
 * SCRAM-SHA-256 verifiers in the form that PostgreSQL keeps (RFC 5802 §3, RFC 7677; manual, pg_authid). Computed here,
 * so that a clear password never travels in a statement and never reaches a server log.
 */
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { RingfenceError } from '../../model/errors.ts'

const derive = promisify(pbkdf2)
/** RFC 7677 §4 asks for 4096 at least; it is also what PostgreSQL itself uses. */
const defaultIterations = 4096

/** The two keys that a server needs to check a client and to show itself to it; neither gives the password. */
export async function scramKeys(
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<{ storedKey: string; serverKey: string }> {
  // SASLprep (RFC 4013) is the identity on printable ASCII; our own passwords are made of nothing else.
  if (!/^[\x20-\x7e]+$/.test(password))
    throw new RingfenceError('Rejected', 'a database password must be printable ASCII')
  const salted = await derive(password, salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  return {
    storedKey: createHash('sha256').update(clientKey).digest('base64'),
    serverKey: createHmac('sha256', salted).update('Server Key').digest('base64'),
  }
}

/** `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` with a new random salt. */
export async function scramVerifier(
  password: string,
  iterations = defaultIterations,
  salt: Buffer = randomBytes(16),
): Promise<string> {
  const { storedKey, serverKey } = await scramKeys(password, salt, iterations)
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
