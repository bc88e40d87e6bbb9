/**
 * Where a ClickHouse is, as people write it: `https://clickhouse.example:8443/bulkhead?cluster=fleet&flow-days=30`. Whoever is to be
 * trusted with it stands elsewhere: what is on a command line is read by everybody on the machine.
 */
import { z } from "zod";

export interface ClickHouseAddress {
  readonly url: string;
  readonly database?: string;
  readonly cluster?: string;
  /** Days until the server forgets single flows, and days of edges, by itself. */
  readonly flowDays?: number;
  readonly edgeDays?: number;
  readonly requestTimeoutMs?: number;
  /** A file with the authorities that the server's certificate is to be from. */
  readonly ca?: string;
}

export type ReadAddress =
  | { readonly address: ClickHouseAddress }
  | { readonly error: string; readonly help: string };

/** What `up` was told, kept in the state directory. */
export const flowStoreFileSchema = z.strictObject({
  address: z.string(),
  /** A file with `user:password`. */
  credentials: z.string().optional(),
});
export type FlowStoreFile = z.infer<typeof flowStoreFileSchema>;

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const KNOWN = ["cluster", "flow-days", "edge-days", "timeout", "ca"] as const;
const EXAMPLE = "https://clickhouse.example:8443/bulkhead?cluster=fleet&flow-days=30&edge-days=400";

export function readClickHouseAddress(text: string): ReadAddress {
  const wrong = (error: string, help = EXAMPLE): ReadAddress => ({ error, help });
  if (!URL.canParse(text)) return wrong("the flow store's address is no URL");
  const { protocol, username, password, host, hostname, pathname, searchParams, hash } = new URL(
    text,
  );
  if (username !== "" || password !== "")
    return wrong(
      "the flow store's address holds a user or a password, which everybody on the machine could read",
      "put them into a file (`--flow-store-credentials`) or the environment",
    );
  if (protocol !== "https:" && protocol !== "http:")
    return wrong(`\`${protocol}\` is not how ClickHouse is asked`);
  if (protocol === "http:" && !isHere(hostname))
    return wrong(
      "without TLS everybody on the way reads who talks to whom, and the password",
      `https://${host}`,
    );
  const database = pathname.replace(/^\/|\/$/g, "");
  if (database !== "" && !NAME.test(database))
    return wrong(`\`${database}\` is no name of a database`);
  const unknown = [...searchParams.keys()].find((key) => !KNOWN.some((one) => one === key));
  if (unknown !== undefined || hash !== "")
    return wrong(
      `\`${unknown ?? hash}\` is nothing that is known here`,
      `known: ${KNOWN.join(", ")}`,
    );
  const cluster = searchParams.get("cluster");
  if (cluster !== null && !NAME.test(cluster))
    return wrong(`\`${cluster}\` is no name of a cluster`);
  const ca = searchParams.get("ca");
  if (ca !== null && !ca.startsWith("/"))
    return wrong(`\`ca=${ca}\` is not the whole path of a file`);
  const numbers: Record<string, number> = {};
  for (const [key, field, factor] of [
    ["flow-days", "flowDays", 1],
    ["edge-days", "edgeDays", 1],
    ["timeout", "requestTimeoutMs", 1000],
  ] as const) {
    const given = searchParams.get(key);
    if (given === null) continue;
    if (!/^[1-9]\d{0,4}$/.test(given))
      return wrong(`\`${key}=${given}\` is no whole number above 0`);
    numbers[field] = Number(given) * factor;
  }
  return {
    address: {
      url: `${protocol}//${host}`,
      ...(database === "" ? {} : { database }),
      ...(cluster === null ? {} : { cluster }),
      ...(ca === null ? {} : { ca }),
      ...numbers,
    },
  };
}

function isHere(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
