/** What travels in a connection, as a question tells it: `GET /x`, a method with a whole URL, headers, a name in TLS or DNS. */
import {
  parseHttpRequest,
  plainHostName,
  requestFrom,
  type HttpFields,
  type ParsedRequest,
  type Request,
} from "@bulkhead/model";
import { problem, type Found } from "./problem.ts";

/** `METHOD PATH` or `METHOD URL`; headers are `Name: value`. */
export function httpRequest(text: string, headers: readonly string[] = []): Found<Request> {
  return found(parseHttpRequest(text, headers));
}

export function requestOf(fields: HttpFields): Found<Request> {
  return found(requestFrom(fields));
}

function found(parsed: ParsedRequest): Found<Request> {
  return parsed.error === undefined
    ? { value: parsed.request }
    : problem("bad-request", parsed.error, parsed.help);
}

export const plainName = plainHostName;

export const tlsRequest = (sni: string): Request => ({
  kind: "tls",
  attributes: { sni: plainName(sni) },
});

export const dnsRequest = (name: string): Request => ({
  kind: "dns",
  attributes: { dns: plainName(name) },
});
