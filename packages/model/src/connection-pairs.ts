/**
 * Connection strings of keys and values: libpq's `host=a port=5432 password='…'`, and those with semicolons of ADO.NET, ODBC and
 * PDO. They are read as their makers read them, quotes and all, so that what stands within a password stays in it.
 */
import { withPort, type HostAndPort } from "./host-and-port.ts";

interface Found extends HostAndPort {
  readonly scheme?: string;
}

const HOST_KEYS = new Set([
  "host",
  "hostaddr",
  "server",
  "datasource",
  "address",
  "addr",
  "networkaddress",
]);
/** `Initial Catalog`: with semicolons between pairs, keys may have spaces. */
const KEY = /^\s*([a-z][a-z0-9_ ]{0,40}?)\s*=\s*/i;
const PLAIN_KEY = /^\s*([a-z_]{1,40})\s*=\s*/i;

const LIKE_PAIR = /(?:^|\s)[a-z_]+\s*=/i;

/** Does it begin with a key, or with a driver's name and a key? */
export const isPairs = (text: string): boolean => KEY.test(withoutDriver(text).rest);

export function destinationsInPairs(text: string): readonly Found[] {
  const { driver, rest } = withoutDriver(text);
  const pairs = rest.includes(";") ? semicolonPairs(rest) : spacePairs(rest);
  if (pairs === undefined) return [];
  const [hostText, another] = [...HOST_KEYS].flatMap((key) => pairs.get(key) ?? []);
  // One of two may come from a password whose quotes are missing.
  if (hostText === undefined || another !== undefined) return [];
  if (/=/.test(hostText) || /[^\d,\s]/.test(pairs.get("port") ?? "")) return [];
  const ports = (pairs.get("port") ?? "").split(",").map((one) => one.trim());
  const scheme = driver ?? schemeOf(pairs);
  if (!rest.includes(";")) {
    return hostText.split(",").flatMap((one, at): Found[] => {
      const found = withPort(one);
      const port = portOf(ports[at] ?? (ports.length === 1 ? ports[0] : ""));
      return found === undefined ? [] : [{ ...port, ...found, ...(scheme && { scheme }) }];
    });
  }
  // SQL Server's: `tcp:host,1433`, `host\instance`.
  const server = /^(?:tcp:)?([^,\\]+)(?:\\[\w$]+)?(?:,\s*(\d{1,5}))?$/i.exec(hostText);
  const found = withPort(server?.[1] ?? "");
  if (server === null || found === undefined) return [];
  return [{ ...portOf(server[2] ?? ports[0]), ...found, ...(scheme && { scheme }) }];
}

const portOf = (text: string | undefined): { readonly port?: number } =>
  /^\d{1,5}$/.test(text ?? "") && Number(text) > 0 && Number(text) < 65_536
    ? { port: Number(text) }
    : {};

/** PDO: `mysql:host=db;port=3306`. */
function withoutDriver(text: string): { readonly driver?: string; readonly rest: string } {
  const [, driver, rest] = /^(mysql|pgsql|sqlsrv|oci|dblib):(.*)$/is.exec(text) ?? [];
  if (driver === undefined || rest === undefined) return { rest: text };
  return { driver: driver.toLowerCase() === "sqlsrv" ? "sqlserver" : driver.toLowerCase(), rest };
}

function schemeOf(pairs: ReadonlyMap<string, string>): string | undefined {
  if (pairs.has("dbname") || pairs.has("sslmode")) return "postgresql";
  return pairs.has("datasource") || pairs.has("initialcatalog") ? "sqlserver" : undefined;
}

/** libpq, 34.1.1: values with spaces stand in single quotes; `\'` and `\\` within. Undefined: it is no such string. */
function spacePairs(text: string): ReadonlyMap<string, string> | undefined {
  return pairsBy(
    text,
    PLAIN_KEY,
    /^(?:'((?:[^'\\]|\\.)*)'|([^\s'\\]*(?:\\.[^\s'\\]*)*))(?:\s+|$)/s,
    (value) => value.replaceAll(/\\(.)/gs, "$1"),
  );
}

/** ADO.NET: values with a semicolon stand in quotes, which are doubled within; ODBC: in braces. */
function semicolonPairs(text: string): ReadonlyMap<string, string> | undefined {
  return pairsBy(
    text,
    KEY,
    /^(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|\{((?:[^}]|\}\})*)\}|([^;]*))\s*(?:;\s*|$)/s,
    (value) => value.trim(),
  );
}

function pairsBy(
  text: string,
  name: RegExp,
  value: RegExp,
  plain: (value: string) => string,
): ReadonlyMap<string, string> | undefined {
  const pairs = new Map<string, string>();
  let rest = text.trim();
  while (rest !== "") {
    const key = name.exec(rest);
    if (key === null) return undefined;
    rest = rest.slice(key[0].length);
    const found = value.exec(rest);
    if (found === null) return undefined;
    const plainValue = found[0].replace(/[\s;]+$/, "");
    // What looks like a pair within a value without quotes, or like half of one before a key, is the rest of a broken password.
    if (!/^["'{]/.test(plainValue) && LIKE_PAIR.test(plainValue)) return undefined;
    if (/\s(?:host|hostaddr|server|port|source\s+\S+)$/i.test(key[1]!)) return undefined;
    const plainKey = key[1]!.toLowerCase().replaceAll(" ", "");
    if (pairs.has(plainKey)) return undefined;
    pairs.set(plainKey, plain(found.slice(1).find((one) => one !== undefined) ?? ""));
    rest = rest.slice(found[0].length);
  }
  return pairs;
}
