/**
 * Request bodies: JSON and YAML, nothing else (so that no plain web form reaches a route), bounded in size and depth
 * and free of what JSON cannot say.
 */
import type { FastifyInstance } from 'fastify'
import { RingfenceError } from '../model/errors.ts'
import type { Json } from '../model/json.ts'
import { plainJson } from '../model/plain.ts'

const yamlTypes = ['application/yaml', 'application/x-yaml', 'text/yaml']

/** A bounded plain copy of a parsed body; `InvalidDocument` for what is too deep, too large or not plain. */
export function plainBody(value: unknown): Json {
  const { json, problems } = plainJson(value)
  if (json === undefined)
    throw new RingfenceError('InvalidDocument', 'The body is not a document that can be read.', { problems })
  return json
}

/** One YAML 1.2 document as plain data; duplicate keys, several documents and alias bombs are refused. */
export async function parseYaml(text: string): Promise<unknown> {
  const { parseAllDocuments } = await import('yaml')
  const documents = parseAllDocuments(text, { uniqueKeys: true, schema: 'core', stringKeys: true, logLevel: 'silent' })
  if (!Array.isArray(documents) || documents.length === 0) throw new RingfenceError('Usage', 'The YAML body is empty.')
  if (documents.length > 1) throw new RingfenceError('Usage', 'Send one YAML document, not several.')
  const [document] = documents
  const fault = document?.errors[0]
  if (fault) throw new RingfenceError('Usage', `The YAML body does not parse: ${fault.message.split('\n', 1)[0]}`)
  try {
    return document?.toJS({ maxAliasCount: 50 })
  } catch (error) {
    throw new RingfenceError('Usage', 'The YAML body refers to itself too often.', {}, error)
  }
}

/** Replaces the default parsers. */
export function acceptBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const json = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // An empty body of a route that needs none is no error: fetch sends the content type with it.
    if (body === '') return done(null, undefined)
    void json(request, body as string, (error, value) => {
      if (error) return done(error)
      try {
        done(null, plainBody(value))
      } catch (fault) {
        done(fault as Error)
      }
    })
  })
  app.addContentTypeParser(yamlTypes, { parseAs: 'string' }, async (_request: unknown, body: string | Buffer) => {
    return plainBody(await parseYaml(String(body)))
  })
}
