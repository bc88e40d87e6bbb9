/** Options about what travels in a connection as fields of a question, and questions that cannot be answered. */
import type { Found, Question } from "@bulkhead/workbench/desk";
import { dnsRequest, httpRequest, plainName, tlsRequest } from "@bulkhead/workbench/desk/requests";
import { badInput } from "../failure.ts";
import type { RequestOptions } from "./request-options.ts";

export function requestFields(options: RequestOptions): Pick<Question, "request" | "names"> {
  const request = requestOf(options);
  const { toFqdn } = options;
  return {
    ...(request === undefined ? {} : { request }),
    ...(toFqdn === undefined ? {} : { names: toFqdn.map(plainName) }),
  };
}

function requestOf({ http, header, sni, dns }: RequestOptions): Question["request"] {
  const given = Object.entries({ http, sni, dns }).filter(([, text]) => text !== undefined);
  const [first, second] = given;
  if (second !== undefined) {
    throw badInput(`\`--${first![0]}\` and \`--${second[0]}\` are two different requests`);
  }
  if (header !== undefined && http === undefined) throw badInput("`--header` goes with `--http`");
  if (http !== undefined) return orFailure(httpRequest(http, header));
  if (sni !== undefined) return tlsRequest(sni);
  return dns === undefined ? undefined : dnsRequest(dns);
}

export function orFailure<T>(found: Found<T>): T {
  if (found.problem === undefined) return found.value;
  const { message, help } = found.problem;
  throw badInput(message, help);
}
