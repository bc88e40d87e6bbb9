/** What a PolicyTest says of a connection beyond its ends and port: the request in it, names that lead there. */
import { parseHttpRequest, plainHostName, type Request } from "@bulkhead/model";
import { described, refined, type Refined } from "../text/shape.ts";

export interface WrittenRequest {
  readonly text: string;
  readonly request: Request;
}

export const httpRequest = described(
  refined((text): Refined<WrittenRequest> => {
    const parsed = parseHttpRequest(text);
    if (parsed.error === undefined) return { value: { text, request: parsed.request } };
    const { error, help } = parsed;
    return { code: "BH0210", error, ...(help === undefined ? {} : { help }) };
  }),
  "A method and a path, or a method and a URL.",
  "GET /orders",
  "POST https://api.example.com/orders",
);

const LABEL = "[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?";
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

export const hostName = refined<string>((text) => {
  const value = plainHostName(text);
  return value.length <= 253 && HOST_NAME.test(value)
    ? { value }
    : { code: "BH0210", error: `\`${text}\` is not a name of a host` };
});
