/** Addresses with a port as people write them: `10.0.0.1`, `10.0.0.1:5353`, `[fd00::1]:5353`. */
import { canonicalIp, type IpAddress } from "@bulkhead/model";

export interface SocketText {
  readonly address: IpAddress;
  readonly port: number;
}

const WITH_PORT = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/;

/** Null when it is none, or lacks a port that nothing stands in for. */
export function parseSocketText(value: string, usualPort?: number): SocketText | null {
  const parts = WITH_PORT.exec(value);
  const address = canonicalIp(parts?.[1] ?? parts?.[2] ?? value);
  const port = parts === null ? usualPort : Number(parts[3]);
  if (address === null || port === undefined || port < 1 || port > 65_535) return null;
  return { address, port };
}

export const formatSocketText = ({ address, port }: SocketText, usualPort?: number): string =>
  port === usualPort
    ? address
    : address.includes(":")
      ? `[${address}]:${port}`
      : `${address}:${port}`;
