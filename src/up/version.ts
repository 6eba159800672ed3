/** The version of this checkout, from package.json alone. */
import { readFile } from 'node:fs/promises'

export async function version(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version: string }).version)
}
