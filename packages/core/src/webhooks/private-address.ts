/** Which addresses belong to somebody's own network. Pure. */
import { BlockList, isIPv4 } from 'node:net'

// From the IANA registries of special-purpose addresses: everything that is not globally reachable.
const NOT_PUBLIC_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Link-local; clouds tell secrets to whoever asks at 169.254.169.254.
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const

/** Special inside of 2000::/3, outside of which nothing is public. */
const NOT_PUBLIC_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4: the address of an IPv4 gateway is written inside.
  ['2002::', 16],
  ['3fff::', 20],
] as const

const blocked = new BlockList()
for (const [net, prefix] of NOT_PUBLIC_V4) blocked.addSubnet(net, prefix, 'ipv4')
for (const [net, prefix] of NOT_PUBLIC_V6) blocked.addSubnet(net, prefix, 'ipv6')

const unicast = new BlockList()
unicast.addSubnet('2000::', 3, 'ipv6')

/** Prefixes before an IPv4 address: mapped (RFC 4291) and translated (RFC 6052). */
const EMBEDDING = [
  [0, 0, 0, 0, 0, 0xffff],
  [0x64, 0xff9b, 0, 0, 0, 0],
]

/** Whether an IP address is not a public one; also true of a text that is no address. */
export function isPrivateAddress(address: string): boolean {
  if (isIPv4(address)) return blocked.check(address, 'ipv4')
  const groups = readGroups(address)
  if (groups === undefined) return true
  const inner = embedded(groups)
  if (inner !== undefined) return blocked.check(inner, 'ipv4')
  const plain = groups.map((group) => group.toString(16)).join(':')
  return !unicast.check(plain, 'ipv6') || blocked.check(plain, 'ipv6')
}

/** The eight groups of an IPv6 address in any notation; zones (`%eth0`) are of the local link. */
function readGroups(address: string): readonly number[] | undefined {
  const url = `http://[${address}]`
  if (!URL.canParse(url)) return undefined
  const [head = '', tail] = new URL(url).hostname.slice(1, -1).split('::')
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')]
  const zeros = new Array<number>(8 - left.length - right.length).fill(0)
  return [...left, ...zeros, ...right]
}

function groupsOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}

function embedded(groups: readonly number[]): string | undefined {
  const isEmbedding = EMBEDDING.some((prefix) => prefix.every((group, i) => group === groups[i]))
  if (!isEmbedding) return undefined
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.')
}
