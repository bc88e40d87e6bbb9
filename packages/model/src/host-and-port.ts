/** A host and a port as configuration writes them: `db:5432`, `[::1]:5432`. Whatever is neither name nor address is nothing. */
import { canonicalIp, type IpAddress } from "./ip.ts";

export interface HostAndPort {
  readonly host: string;
  readonly port?: number;
}

/** RFC 1123 labels; underscores, since networks of containers have them. Not numbers alone: those are addresses, or no host. */
const NAME =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?$/;

/** Lower case, an address canonical. Undefined: it is no host. */
export function plainHost(text: string): string | undefined {
  const address: IpAddress | null = canonicalIp(text);
  if (address !== null) return address;
  const name = text.toLowerCase();
  if (!NAME.test(name) || !/[a-z]/.test(name)) return undefined;
  return name.replace(/\.$/, "");
}

/** Undefined: something else stands there besides. */
export function withPort(text: string): HostAndPort | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text.trim());
  // An IPv6 address without brackets has no port.
  const bare = parts === null ? canonicalIp(text.trim()) : null;
  if (bare !== null) return { host: bare };
  const host = plainHost(parts?.[1] ?? parts?.[2] ?? "");
  if (host === undefined) return undefined;
  if (parts?.[3] === undefined) return { host };
  const port = Number(parts[3]);
  return port > 0 && port < 65_536 ? { host, port } : undefined;
}
