/** Reads a server-sent event stream (HTML standard §9.2.6) from the bytes of a response. Knows nothing of its events. */

export interface ServerEvent {
  readonly id?: string
  readonly event: string
  readonly data: string
}

/** Splits a byte stream into lines at LF, CRLF or CR; the rest without a line end is dropped, as the standard says. */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true })
    // A CR at the very end may be the first half of a CRLF: it waits for what follows.
    const parts = rest.split(/\r\n|\n|\r(?!$)/)
    rest = parts.pop() ?? ''
    yield* parts
  }
}

/** The events of a stream, in order; comments and fields that are not known are passed over. */
export async function* serverEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  let event = 'message'
  let id: string | undefined
  let data: string[] = []
  for await (const line of linesOf(bytes)) {
    if (line === '') {
      if (data.length > 0) yield { event, data: data.join('\n'), ...(id === undefined ? {} : { id }) }
      event = 'message'
      data = []
      continue
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id') id = value
  }
}
