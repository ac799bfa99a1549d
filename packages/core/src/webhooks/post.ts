/**
 * One POST to an address that a client chose (D-58).
 *
 * The address that was checked is the one that is connected to: the check sits in the connection's
 * own look-up, so a name cannot mean one thing when it is checked and another when it is called.
 * Nothing is kept open, no proxy is used, and redirects are not followed.
 */
import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isPrivateAddress } from './private-address.ts'

/** Finds all addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>

export interface PostOptions {
  /** Whether to call this machine and its private networks, too. */
  readonly allowPrivateHosts: boolean
  /** Default: the system's own. */
  readonly resolve?: Resolve | undefined
}

export interface PostRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Aborted when it has taken too long. */
  readonly signal: AbortSignal
}

/** The URL may not be called, and trying again changes nothing. Its message holds no URL. */
export class RefusedTargetError extends Error {
  override readonly name = 'RefusedTargetError'
}

/**
 * Sends the body and answers the status; the body of the response is thrown away unread.
 * @throws RefusedTargetError for URLs and addresses that may not be called.
 */
export async function post(request: PostRequest, options: PostOptions): Promise<number> {
  const url = readTarget(request.url, options)
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const { headers, body, signal } = request
  const lookup = guardedLookup(options)
  const init: RequestOptions = { method: 'POST', headers, signal, lookup, agent: false }
  return new Promise((resolve, reject) => {
    const outgoing = send(url, init, (response: IncomingMessage) => {
      // What breaks after the answer changes nothing.
      response.on('error', () => undefined)
      response.destroy()
      resolve(response.statusCode ?? 0)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** What may be logged of a URL: its host. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'unreadable URL'
}

function readTarget(text: string, { allowPrivateHosts }: PostOptions): URL {
  if (!URL.canParse(text)) throw new RefusedTargetError('the URL cannot be read')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new RefusedTargetError(`the scheme ${url.protocol} is not http: or https:`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new RefusedTargetError('the URL holds credentials')
  }
  // Connections to addresses look nothing up, so these are checked here. The parser has turned
  // every other way to write them (decimal, octal, hexadecimal, short) into this one.
  const address = url.hostname.replace(/^\[|\]$/g, '')
  if (!allowPrivateHosts && isIP(address) !== 0) assertPublic([address])
  return url
}

function guardedLookup(options: PostOptions): LookupFunction {
  return (hostname, { all }, callback) => {
    lookUp(hostname, options).then(
      ([first, ...others]) => {
        if (all === true) callback(null, [first, ...others])
        else callback(null, first.address, first.family)
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, []),
    )
  }
}

async function lookUp(
  hostname: string,
  { allowPrivateHosts, resolve = systemResolve }: PostOptions,
): Promise<[LookupAddress, ...LookupAddress[]]> {
  const [first, ...others] = await resolve(hostname)
  if (first === undefined) {
    throw Object.assign(new Error('the host has no address'), { code: 'ENOTFOUND' })
  }
  if (!allowPrivateHosts) assertPublic([first, ...others].map(({ address }) => address))
  return [first, ...others]
}

/** One private address is enough: which of several is connected to is not ours to choose. */
function assertPublic(addresses: readonly string[]): void {
  if (!addresses.some(isPrivateAddress)) return
  throw new RefusedTargetError('the host is, or resolves to, a private address')
}

function systemResolve(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses)
      else reject(error)
    })
  })
}
