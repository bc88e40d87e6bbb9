/**
 * What rtnetlink tells of links and addresses, in our own network namespace or, by number, in another one that has a link
 * into ours. The kernel reads the other namespace for us (`IFLA_TARGET_NETNSID`), so no thread has to enter it.
 */
import { formatIp, type IpAddress } from "@bulkhead/model";
import { attribute, attributesOf, i32le, type Attribute } from "../kernel/netlink-message.ts";
import type { NetlinkSocket } from "../kernel/netlink-socket.ts";

const RTM_GETLINK = 18;
const RTM_GETADDR = 22;
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_LINK_NETNSID = 37;
const IFLA_TARGET_NETNSID = 46;
const IFLA_INFO_KIND = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_TARGET_NETNSID = 10;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;

const IFF_UP = 1;
const IFA_F_DADFAILED = 0x08;
const AF_INET = 2;
const AF_INET6 = 10;

/** The number under which our namespace knows another one. */
export type NetnsId = number;

export interface Link {
  readonly ifindex: number;
  readonly name: string;
  /** Lower case with colons; empty for links without one. */
  readonly mac: string;
  readonly up: boolean;
  /** `veth`, `bridge`, …; empty for physical links. */
  readonly kind: string;
  /** For a veth: the other end's index, in namespace `peerNetns` (absent: the same namespace). */
  readonly peer?: number;
  readonly peerNetns?: NetnsId;
  /** Index of the bridge it belongs to. */
  readonly master?: number;
}

export type AddressScope = "global" | "link" | "host";

export interface LinkAddress {
  readonly ifindex: number;
  readonly address: IpAddress;
  readonly scope: AddressScope;
}

/** All links of our namespace. */
export function readLinks(socket: NetlinkSocket): Link[] {
  const links: Link[] = [];
  socket.dump(
    "listing links",
    RTM_GETLINK,
    Buffer.alloc(16),
    [],
    (type, buffer, start, end) => {
      if (type === RTM_NEWLINK) links.push(linkOf(buffer, start, end));
    },
    () => void (links.length = 0),
  );
  return links;
}

/**
 * One link of the numbered namespace, however many others are there. Throws `KernelError`: ENODEV without such a link, EINVAL
 * when the namespace is gone.
 */
export function readLink(socket: NetlinkSocket, netns: NetnsId, ifindex: number): Link | undefined {
  const header = Buffer.alloc(16);
  header.writeInt32LE(ifindex, 4);
  let link: Link | undefined = undefined;
  socket.request(
    "reading a link",
    RTM_GETLINK,
    header,
    [attribute(IFLA_TARGET_NETNSID, i32le(netns))],
    (type, buffer, start, end) => {
      if (type === RTM_NEWLINK) link = linkOf(buffer, start, end);
    },
  );
  return link;
}

function linkOf(buffer: Buffer, start: number, end: number): Link {
  const attributes = attributesOf(buffer, start + 16, end);
  const info = attributes.get(IFLA_LINKINFO);
  const kind =
    info === undefined ? undefined : attributesOf(info, 0, info.length).get(IFLA_INFO_KIND);
  const peer = attributes.get(IFLA_LINK);
  const peerNetns = attributes.get(IFLA_LINK_NETNSID);
  const master = attributes.get(IFLA_MASTER);
  return {
    ifindex: buffer.readInt32LE(start + 4),
    name: text(attributes.get(IFLA_IFNAME)),
    mac: [...(attributes.get(IFLA_ADDRESS) ?? [])]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join(":"),
    up: (buffer.readUInt32LE(start + 8) & IFF_UP) !== 0,
    kind: text(kind),
    ...(peer === undefined ? {} : { peer: peer.readInt32LE() }),
    ...(peerNetns === undefined ? {} : { peerNetns: peerNetns.readInt32LE() }),
    ...(master === undefined ? {} : { master: master.readUInt32LE() }),
  };
}

export interface LinkElsewhere {
  readonly netns: NetnsId;
  readonly ifindex: number;
  /** Most that is read. */
  readonly limit: number;
}

/** All addresses of our namespace, or those of one link elsewhere; those whose duplicate check failed are not in use and not told. */
export function readAddresses(socket: NetlinkSocket, where?: LinkElsewhere): LinkAddress[] {
  const found: LinkAddress[] = [];
  const limit = where?.limit ?? Number.POSITIVE_INFINITY;
  const header = Buffer.alloc(8);
  const filter: Attribute[] = [];
  if (where !== undefined) {
    header.writeUInt32LE(where.ifindex, 4);
    filter.push(attribute(IFA_TARGET_NETNSID, i32le(where.netns)));
  }
  socket.dump(
    "listing addresses",
    RTM_GETADDR,
    header,
    filter,
    (type, buffer, start, end) => {
      if (found.length >= limit) return;
      const address = type === RTM_NEWADDR ? addressOf(buffer, start, end) : undefined;
      if (address !== undefined) found.push(address);
    },
    () => void (found.length = 0),
  );
  return found;
}

function addressOf(buffer: Buffer, start: number, end: number): LinkAddress | undefined {
  const attributes = attributesOf(buffer, start + 8, end);
  if (((attributes.get(IFA_FLAGS)?.readUInt32LE() ?? 0) & IFA_F_DADFAILED) !== 0) return undefined;
  const family = buffer.readUInt8(start);
  // On point-to-point links IFA_ADDRESS is the other end and IFA_LOCAL ours; IPv6 usually has only the former.
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes === undefined || (family !== AF_INET && family !== AF_INET6)) return undefined;
  const value = BigInt(`0x${bytes.toString("hex")}`);
  return {
    ifindex: buffer.readUInt32LE(start + 4),
    address: formatIp(family === AF_INET ? 4 : 6, value),
    scope: scopeOf(buffer.readUInt8(start + 3)),
  };
}

/** The kernel's scopes: 0 universe, 200 site, 253 link, 254 host, 255 nowhere. */
function scopeOf(scope: number): AddressScope {
  if (scope >= 254) return "host";
  return scope === 253 ? "link" : "global";
}

/** The number our namespace has for the one behind a descriptor; null when none of our links lead there (or it is our own). */
export function netnsIdOf(socket: NetlinkSocket, fd: number): NetnsId | null {
  let id = -1;
  socket.request(
    "identifying a network namespace",
    RTM_GETNSID,
    Buffer.alloc(4),
    [attribute(NETNSA_FD, i32le(fd))],
    (type, buffer, start, end) => {
      if (type === RTM_NEWNSID)
        id =
          attributesOf(buffer, start + 4, end)
            .get(NETNSA_NSID)
            ?.readInt32LE() ?? -1;
    },
  );
  return id < 0 ? null : id;
}

function text(value: Buffer | undefined): string {
  return value === undefined ? "" : value.toString("utf8").replace(/\0.*$/s, "");
}
