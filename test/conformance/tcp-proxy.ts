/**
 * A TCP relay that stands between a driver and its server and breaks connections in the ways that networks do. It
 * passes bytes only, so it serves TLS as well as any protocol.
 */
import { connect, createServer, type Socket } from 'node:net'

/**
 * `refuse` closes new and open connections; `blackhole` swallows all bytes both ways; `lose-answer` carries requests
 * on connections that are open already and drops what the server says to them, then closes.
 */
export type Mode = 'pass' | 'refuse' | 'blackhole' | 'lose-answer'

export interface TcpProxy {
  readonly port: number
  set(mode: Mode): void
  /** Cuts every open connection, and goes on passing new ones. */
  cut(): void
  close(): Promise<void>
}

export async function createTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  let mode: Mode = 'pass'
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  }
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((near) => {
    keep(near)
    if (mode === 'refuse') {
      near.destroy()
      return
    }
    const far = connect(target)
    keep(far)
    near.on('data', (bytes) => void (mode === 'blackhole' || far.write(bytes)))
    far.on('data', (bytes) => {
      if (mode === 'lose-answer') near.destroy()
      else if (mode !== 'blackhole') near.write(bytes)
    })
    near.on('close', () => setTimeout(() => far.destroy(), 50))
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the relay has no port')
  return {
    port: address.port,
    set(next) {
      mode = next
      if (next === 'refuse') cut()
    },
    cut,
    close: () =>
      new Promise((resolve) => {
        cut()
        server.close(() => resolve())
      }),
  }
}
