/** A certificate request (PKCS #10) for a user name, made with the openssl of the machine. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export async function signRequest(user: string): Promise<{ readonly request: string; readonly key: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'csr-'))
  try {
    const [keyFile, requestFile] = [join(dir, 'key.pem'), join(dir, 'request.pem')]
    await promisify(execFile)('openssl', [
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      keyFile,
      '-out',
      requestFile,
      '-subj',
      `/CN=${user}`,
    ])
    return { request: await readFile(requestFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
