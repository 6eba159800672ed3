/**
 * Signs in to PostgreSQL with the credentials of a Secret on standard input, to its own database or to the one named:
 * `kubectl get secret database-credentials -n NAMESPACE -o json | node examples/quickstart/sign-in.ts [DATABASE]`.
 */
import process from 'node:process'
import { text } from 'node:stream/consumers'
import pg from 'pg'

const secret = JSON.parse(await text(process.stdin)) as { data: { [key: string]: string } }
const value = (key: string): string => Buffer.from(secret.data[key] ?? '', 'base64').toString()

const client = new pg.Client({
  host: value('host'),
  port: Number(value('port')),
  user: value('username'),
  password: value('password'),
  database: process.argv[2] ?? value('database'),
  // What `sslmode=require` means: encrypted, the server's certificate is not checked.
  ssl: { rejectUnauthorized: false },
})
try {
  await client.connect()
  const { rows } = await client.query<{ who: string; where: string }>(
    'select current_user as who, current_database() as where',
  )
  process.stdout.write(`signed in as ${rows[0]?.who} to ${rows[0]?.where}\n`)
} catch (error) {
  process.stdout.write(`refused: ${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  await client.end()
}
