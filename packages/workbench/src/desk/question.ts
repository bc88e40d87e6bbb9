/** A question as it stands in one line of JSON, checked field by field. */
import { ICMP, ICMPV6, formatProtocol, parseProtocol, type Request } from "@bulkhead/model";
import { problem, type Found } from "./problem.ts";
import { dnsRequest, httpRequest, plainName, requestOf, tlsRequest } from "./request-text.ts";

export interface Question {
  readonly from: string;
  readonly to: string;
  /** As `onePort` reads it. */
  readonly port: string;
  /** Absent: the answer tells on what it depends. */
  readonly request?: Request;
  /** That stand for the destination's address. */
  readonly names?: readonly string[];
  /** Given back with the answer. */
  readonly id?: unknown;
}

const FIELDS = [
  "from",
  "to",
  "port",
  "protocol",
  "type",
  "code",
  "http",
  "sni",
  "dns",
  "opaque",
  "names",
  "id",
] as const;
/** Not `to`, which many words are near; nor `names`, beside which others have a `name`. */
const DECISIVE = FIELDS.filter((field) => field !== "names" && field.length > 2);
const REQUESTS = ["http", "sni", "dns", "opaque"] as const;

type Fields = Readonly<Record<string, unknown>>;

/** Fields that are no slip of a known one are left alone: other tools keep their own beside ours. */
export function parseQuestion(line: string): Found<Question> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return problem("bad-query", `the line is not JSON: ${(error as SyntaxError).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return problem("bad-query", "the line is not a JSON object");
  }
  return questionOf(value as Fields);
}

function questionOf(fields: Fields): Found<Question> {
  for (const name of Object.keys(fields)) {
    const meant = slipOf(name);
    if (meant === undefined) continue;
    return problem("bad-query", `no field is called \`${name}\``, `did you mean \`${meant}\`?`);
  }
  const { from, names } = fields;
  const to = fields["to"] ?? (names === undefined ? undefined : "world");
  if (typeof from !== "string" || from === "") return missing("from", from);
  if (typeof to !== "string" || to === "") return missing("to", to);
  const port = portOf(fields);
  if (port.problem !== undefined) return port;
  const request = requestIn(fields);
  if (request.problem !== undefined) return request;
  if (names !== undefined && !isTexts(names)) {
    return problem("bad-query", "`names` is not a list of names");
  }
  const { id } = fields;
  return {
    value: {
      from,
      to,
      port: port.value,
      ...(request.value === undefined ? {} : { request: request.value }),
      ...(names === undefined ? {} : { names: names.map(plainName) }),
      ...(id === undefined ? {} : { id }),
    },
  };
}

/** A known field in capitals, or with a letter more or less: left alone it would change the question without a word. */
function slipOf(name: string): string | undefined {
  if (FIELDS.some((field) => field === name)) return undefined;
  const word = name.toLowerCase();
  return DECISIVE.find((field) => {
    const longer = word.length - field.length;
    return Math.abs(longer) <= 1 && (word.startsWith(field) || field.startsWith(word));
  });
}

function missing(
  field: string,
  given: unknown,
): { problem: ReturnType<typeof problem>["problem"] } {
  const example = '{"from": "shop/web", "to": "shop/db", "port": 5432, "protocol": "TCP"}';
  const what = given === undefined ? "has no" : "says no text as";
  return problem("bad-query", `the question ${what} \`${field}\``, `for example ${example}`);
}

/** `port` whole (`53/udp`), or `port` and `protocol`; of ICMP also `type` and `code`. TCP unless said. */
function portOf({ port, protocol, type, code }: Fields): Found<string> {
  const name = protocol === undefined ? undefined : protocolName(protocol);
  if (name === null) {
    return problem(
      "bad-port",
      `unknown protocol \`${String(protocol)}\``,
      "tcp, udp, sctp, icmp, …",
    );
  }
  if (type !== undefined || code !== undefined) {
    const icmp = name === undefined ? undefined : parseProtocol(name);
    if (icmp !== ICMP && icmp !== ICMPV6) {
      return problem("bad-port", "only ICMP has a `type` and a `code`");
    }
    return { value: [name, type ?? 0, ...(code === undefined ? [] : [code])].join("/") };
  }
  if (port === undefined || port === null) {
    if (name === undefined) return problem("bad-query", "the question has no `port`");
    return { value: name };
  }
  if (typeof port !== "string" && typeof port !== "number") {
    return problem("bad-port", "`port` is neither a number nor text");
  }
  const text = String(port);
  if (name === undefined) return { value: text };
  // `icmp` with `8/0` or `echo-request`: its types stand where others have ports.
  if (name.startsWith("icmp") && !text.startsWith("icmp")) return { value: `${name}/${text}` };
  return { value: text.includes("/") ? text : `${text}/${name}` };
}

/** By name or by IANA's number. */
function protocolName(protocol: unknown): string | null {
  const number =
    typeof protocol === "number" ? protocol : parseProtocol(String(protocol).replace("_", ""));
  if (number === null || !Number.isInteger(number) || number < 0 || number > 255) return null;
  return formatProtocol(number);
}

function requestIn(fields: Fields): Found<Request | undefined> {
  const given = REQUESTS.filter((name) => fields[name] !== undefined && fields[name] !== false);
  const [kind, second] = given;
  if (kind === undefined) return { value: undefined };
  if (second !== undefined) {
    return problem("bad-request", `\`${kind}\` and \`${second}\` are two different requests`);
  }
  const said = fields[kind];
  switch (kind) {
    case "opaque":
      return { value: { kind: "opaque" } };
    case "sni":
      return typeof said === "string" ? { value: tlsRequest(said) } : noText(kind);
    case "dns":
      return typeof said === "string" ? { value: dnsRequest(said) } : noText(kind);
    case "http":
      if (typeof said === "string") return httpRequest(said);
      return typeof said === "object" ? httpFields(said as Fields) : noText(kind);
  }
}

function httpFields({ method, path, host, headers = {} }: Fields): Found<Request> {
  for (const [name, value] of Object.entries({ method, path, host })) {
    if (value !== undefined && typeof value !== "string") return noText(`http.${name}`);
  }
  if (typeof headers !== "object" || headers === null || !isTexts(Object.values(headers))) {
    return problem("bad-request", "`http.headers` is not an object of texts");
  }
  return requestOf({
    ...(typeof method === "string" ? { method } : {}),
    ...(typeof path === "string" ? { path } : {}),
    ...(typeof host === "string" ? { host } : {}),
    headers: headers as Readonly<Record<string, string>>,
  });
}

const noText = (field: string) => problem("bad-request", `\`${field}\` is not text`);

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
