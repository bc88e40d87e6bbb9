/** What travels in a connection, as a question tells it: `GET /x`, a method with a whole URL, headers, a name in TLS or DNS. */
import type { Request } from "@bulkhead/model";
import { problem, type Found } from "./problem.ts";

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

/** `METHOD PATH` or `METHOD URL`; headers are `Name: value`. */
export function httpRequest(text: string, headers: readonly string[] = []): Found<Request> {
  const [method = "", target = "", ...rest] = text.trim().split(/\s+/);
  if (rest.length > 0 || target === "") {
    return problem("bad-request", `\`${text}\` is not a method and a path`, HELP);
  }
  const fields: Record<string, string> = {};
  for (const header of headers) {
    const [, name, value] = /^([^:]+):\s*(.*)$/.exec(header) ?? [];
    if (name === undefined || value === undefined) {
      return problem("bad-request", `\`${header}\` is not a header`, "write it like `X-User: ann`");
    }
    fields[name] = fields[name] === undefined ? value : `${fields[name]},${value}`;
  }
  const [, host, path] = /^https?:\/\/([^/?#]+)(.*)$/.exec(target) ?? [];
  return host === undefined
    ? requestOf({ method, path: target, headers: fields })
    : requestOf({ method, path: path === "" ? "/" : path!, host, headers: fields });
}

export function requestOf({ method, path, host, headers = {} }: HttpFields): Found<Request> {
  if (method !== undefined && !TOKEN.test(method)) {
    return problem("bad-request", `\`${method}\` is not a method`, HELP);
  }
  if (path !== undefined && !path.startsWith("/") && path !== "*") {
    return problem("bad-request", `\`${path}\` is not a path, which begins with \`/\``, HELP);
  }
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name)) return problem("bad-request", `\`${name}\` is not a header's name`);
    attributes[`header:${name.toLowerCase()}`] = value;
  }
  if (method !== undefined) attributes["method"] = method;
  if (path !== undefined) {
    attributes["path"] = path.replace(/[?#].*$/, "");
    if (path.includes("?")) attributes["target"] = path.replace(/#.*$/, "");
  }
  const authority = host ?? attributes["header:host"];
  if (authority !== undefined) attributes["host"] = authority;
  return { value: { kind: "http", attributes } };
}

/** Lower case, without a final dot. */
export const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, "");

export const tlsRequest = (sni: string): Request => ({
  kind: "tls",
  attributes: { sni: plainName(sni) },
});

export const dnsRequest = (name: string): Request => ({
  kind: "dns",
  attributes: { dns: plainName(name) },
});
