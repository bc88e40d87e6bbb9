/** What travels in a connection, as people write it: `GET /x`, a method with a whole URL, headers; names of hosts. */
import type { Request } from "./predicate.ts";

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HELP = "for example `GET /x`, or `POST https://api.example.com/x`";

export interface HttpFields {
  readonly method?: string;
  /** A query behind it matters to those few policies that match what was sent; a fragment to none. */
  readonly path?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type ParsedRequest =
  | { readonly request: Request; readonly error?: undefined }
  | { readonly error: string; readonly help?: string };

/** `METHOD PATH` or `METHOD URL`; headers are `Name: value`. */
export function parseHttpRequest(text: string, headers: readonly string[] = []): ParsedRequest {
  const [method = "", target = "", ...rest] = text.trim().split(/\s+/);
  if (rest.length > 0 || target === "") {
    return { error: `\`${text}\` is not a method and a path`, help: HELP };
  }
  const fields: Record<string, string> = {};
  for (const header of headers) {
    const [, name, value] = /^([^:]+):\s*(.*)$/.exec(header) ?? [];
    if (name === undefined || value === undefined) {
      return { error: `\`${header}\` is not a header`, help: "write it like `X-User: ann`" };
    }
    fields[name] = fields[name] === undefined ? value : `${fields[name]},${value}`;
  }
  const [, host, path] = /^https?:\/\/([^/?#]+)(.*)$/.exec(target) ?? [];
  return host === undefined
    ? requestFrom({ method, path: target, headers: fields })
    : requestFrom({ method, path: path === "" ? "/" : path!, host, headers: fields });
}

export function requestFrom({ method, path, host, headers = {} }: HttpFields): ParsedRequest {
  if (method !== undefined && !TOKEN.test(method)) {
    return { error: `\`${method}\` is not a method`, help: HELP };
  }
  if (path !== undefined && !path.startsWith("/") && path !== "*") {
    return { error: `\`${path}\` is not a path, which begins with \`/\``, help: HELP };
  }
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name)) return { error: `\`${name}\` is not a header's name` };
    attributes[`header:${name.toLowerCase()}`] = value;
  }
  if (method !== undefined) attributes["method"] = method;
  if (path !== undefined) {
    attributes["path"] = path.replace(/[?#].*$/, "");
    if (path.includes("?")) attributes["target"] = path.replace(/#.*$/, "");
  }
  const authority = host ?? attributes["header:host"];
  if (authority !== undefined) attributes["host"] = authority;
  return { request: { kind: "http", attributes } };
}

/** Lower case, without a final dot. */
export const plainHostName = (name: string): string => name.toLowerCase().replace(/\.$/, "");
