/** A server that says it is a Redis of long ago. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** By the first word of a command; what is not here is answered with OK. */
const ANSWERS: Readonly<Record<string, string>> = {
  HELLO: "-ERR unknown command 'HELLO'",
  CLIENT: '-ERR unknown subcommand',
  SUBSCRIBE: '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1',
}

export interface OldRedis {
  readonly port: number
  readonly close: () => Promise<void>
}

export async function startOldRedis(version: string): Promise<OldRedis> {
  const sockets = new Set<Socket>()
  const info = `redis_version:${version}\r\nloading:0\r\n`
  const answers: Readonly<Record<string, string>> = {
    ...ANSWERS,
    INFO: `$${info.length}\r\n${info}`,
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.setEncoding('utf8').on('data', (text: string) => {
      for (const word of commandsIn(text)) socket.write(`${answers[word] ?? '+OK'}\r\n`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** First words of commands, which come whole: they are short, and this machine is near. */
function commandsIn(text: string): readonly string[] {
  const heads = text.matchAll(/\*\d+\r\n\$\d+\r\n([^\r]+)\r\n/g)
  return [...heads].map(([, word = '']) => word.toUpperCase())
}
