/**
 * Envoy's access logs: the default text, the longer one that Istio sets, and JSON with the usual keys. A line is a request, or
 * a connection of a TCP proxy. Query strings, headers and user agents are passed over.
 * Operators: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
 */
import {
  TCP,
  UDP,
  type Flow,
  type FlowEnd,
  type FlowOrigin,
  type FlowRequest,
} from "@bulkhead/model";
import type { FlowFormatReader, FlowSink } from "./flow-format.ts";
import { createEnds, type Ends } from "./shared/ends.ts";
import { headLines, readTextLines } from "./shared/text-lines.ts";
import {
  digitsOrZero,
  isPlain,
  parseFields,
  textOf,
  timeOf,
  type Fields,
} from "./shared/values.ts";

const ORIGIN: FlowOrigin = { format: "envoy", sampling: 1, aggregation: 0, direction: "told" };

/** Response flags that say that nobody behind answered. */
const UNANSWERED = /(^|,)(UF|UH|UO|NR|NC|UMSDR|DPE|DF)(,|$)/;

interface Line {
  readonly time: string | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly protocol: string | undefined;
  readonly code: string | undefined;
  readonly flags: string | undefined;
  readonly details: string | undefined;
  readonly received: string | undefined;
  readonly sent: string | undefined;
  readonly duration: string | undefined;
  readonly forwardedFor: string | undefined;
  readonly authority: string | undefined;
  readonly upstream: string | undefined;
  readonly local: string | undefined;
  readonly remote: string | undefined;
}

export const envoy: FlowFormatReader = {
  name: "envoy",
  title: "Envoy's access log: the default text, Istio's, or JSON with the usual keys",
  recognises: (head) =>
    headLines(head, 5).some((line) => {
      return typeof lineOf(line) === "object";
    }),
  open: (sink) => {
    const ends = createEnds();
    return readTextLines(sink, {
      origin: ORIGIN,
      line(text, malformed) {
        const line = lineOf(text);
        if (line === undefined) return malformed("not Envoy's default format");
        const problem = typeof line === "string" ? line : give(sink, ends, line);
        if (problem !== undefined) malformed(problem);
      },
    });
  },
};

function give(sink: FlowSink, ends: Ends, line: Line): string | undefined {
  const start = timeOf(line.time);
  if (start === undefined) return "no time";
  const from = socketAt(ends, line.remote) ?? hopAt(ends, line.forwardedFor);
  const upstream = socketAt(ends, line.upstream);
  const local = socketAt(ends, line.local);
  // Beside the workload itself the proxy forwards to loopback: the address that was called is on the other side.
  const isBeside = upstream === undefined || /^(127\.|::1$)/.test(upstream.end.address);
  const to = isBeside ? (local ?? upstream) : upstream;
  if (from === undefined || to === undefined) {
    sink.other(
      from === undefined ? "a request whose client is not told" : "a request that went nowhere",
    );
    return undefined;
  }
  const isDenied = /rbac_access_denied/.test(line.details ?? "");
  // Without an answer the code is 0; a TCP proxy has none.
  const hasCode = line.method === undefined || line.code !== "0";
  const isAnswered = !isDenied && !UNANSWERED.test(line.flags ?? "") && hasCode;
  const request = requestOf(line);
  if (request === "malformed") return "a request with control characters";
  const duration = digitsOrZero(line.duration);
  const flow: Flow = {
    start,
    end: start + (duration < 1e12 ? duration : 0),
    source: from.end,
    destination: to.end,
    protocol: line.protocol === "HTTP/3" ? UDP : TCP,
    port: to.port,
    sourcePort: from.port,
    verdict: isDenied ? "rejected" : "forwarded",
    connections: 1,
    established: isAnswered ? 1 : 0,
    failed: isAnswered ? 0 : 1,
    bytes: digitsOrZero(line.received) + digitsOrZero(line.sent),
    packets: 0,
    origin: ORIGIN,
    ...(request === undefined ? {} : { request }),
  };
  sink.flow(flow);
  return undefined;
}

const LONGEST_PATH = 2048;

function requestOf({ method, path, authority, code }: Line): FlowRequest | undefined | "malformed" {
  if (method === undefined || path === undefined) return undefined;
  const host = authority?.slice(0, 255);
  const plain = path.replace(/[?#].*$/s, "").slice(0, LONGEST_PATH);
  if (!isPlain(method, 64) || !isPlain(plain, LONGEST_PATH) || !isPlain(host ?? ""))
    return "malformed";
  const status = digitsOrZero(code);
  return {
    method,
    path: plain,
    ...(host === undefined ? {} : { host }),
    ...(status === 0 ? {} : { status }),
  };
}

interface Socket {
  readonly end: FlowEnd;
  readonly port: number;
}

/** `10.0.0.1:80`, `[2001:db8::1]:80` */
function socketAt(ends: Ends, text: string | undefined): Socket | undefined {
  const [, wide, narrow, port = ""] =
    /^(?:tcp:\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([\d.]+)):(\d{1,5})$/.exec(text ?? "") ?? [];
  const end = ends.at(wide ?? narrow ?? "");
  return end === undefined || Number(port) > 65535 ? undefined : { end, port: Number(port) };
}

/** Who connected is the last that was written there. */
function hopAt(ends: Ends, text: string | undefined): Socket | undefined {
  const end = ends.at((text ?? "").split(",").at(-1)?.trim() ?? "");
  return end === undefined ? undefined : { end, port: 0 };
}

const FRONT = /^\[([^\]\s]+)\] "(\S+) (.*?) (\S+)" (\d{1,3}|-) (\S+) (.*)$/s;
/** No line that Envoy's defaults write is longer, by its own limits on headers. */
const LONGEST = 131_072;
/** What stands in quotes, or without. */
const WORDS = /"((?:[^"\\]|\\.)*)"|(\S+)/g;

/**
 * Behind code and flags the default has 5 words and 5 in quotes; Istio's puts two words and a quoted reason before, and six
 * words behind.
 */
function textLine(text: string): Line | undefined {
  if (text.length > LONGEST) return undefined;
  const [, time, method, path, protocol, code, flags, rest] = FRONT.exec(text) ?? [];
  if (rest === undefined || time === undefined || timeOf(time) === undefined) return undefined;
  const words = [...rest.matchAll(WORDS)].map((found) => found[1] ?? found[2] ?? "");
  const told = (word: string | undefined) => (word === "-" || word === "" ? undefined : word);
  const isLong = words.length >= 17 && !/^\d+$/.test(words[0] ?? "");
  const at = isLong ? 3 : 0;
  if (!isLong && words.length !== 9) return undefined;
  if (!/^\d+$/.test(words[at] ?? "") || !/^\d+$/.test(words[at + 1] ?? "")) return undefined;
  return {
    time,
    method: told(method),
    path: told(path),
    protocol: told(protocol),
    code: told(code),
    flags: told(flags),
    details: isLong ? told(words[0]) : undefined,
    received: told(words[at]),
    sent: told(words[at + 1]),
    duration: told(words[at + 2]),
    forwardedFor: told(words[at + 4]),
    authority: told(words[at + 7]),
    upstream: told(words[at + 8]),
    local: isLong ? told(words[14]) : undefined,
    remote: isLong ? told(words[15]) : undefined,
  };
}

/** Usual keys of JSON logs (Istio's, Envoy Gateway's, Contour's), the first that is there. */
const KEYS = {
  time: ["start_time", "@timestamp", "timestamp", "time"],
  method: ["method", ":method"],
  path: ["x-envoy-origin-path", "path", ":path", "uri_path"],
  protocol: ["protocol"],
  code: ["response_code", "status"],
  flags: ["response_flags"],
  details: ["response_code_details"],
  received: ["bytes_received"],
  sent: ["bytes_sent"],
  duration: ["duration"],
  forwardedFor: ["x_forwarded_for", "x-forwarded-for"],
  authority: [":authority", "authority"],
  upstream: ["upstream_host"],
  local: ["downstream_local_address"],
  remote: ["downstream_remote_address"],
} as const satisfies Record<keyof Line, readonly string[]>;

function isOurs(fields: Fields): boolean {
  return (
    KEYS.time.some((key) => key in fields) &&
    ("response_flags" in fields ||
      "upstream_host" in fields ||
      "downstream_remote_address" in fields)
  );
}

/** Undefined or a word: what it is not. */
function lineOf(text: string): Line | string | undefined {
  if (!text.startsWith("{")) return textLine(text.replace(MARKED, ""));
  const fields = parseFields(text);
  if (typeof fields === "string") return fields;
  // Runtimes of containers wrap what was printed.
  const printed = textOf(fields["log"]) ?? textOf(fields["message"]);
  if (printed !== undefined && !isOurs(fields)) {
    return printed.startsWith("{")
      ? "a line in a line"
      : textLine(printed.trim().replace(MARKED, ""));
  }
  return jsonLine(fields);
}

/** Before the line, by some gateways. */
const MARKED = /^ACCESS /;

function jsonLine(fields: Fields): Line | string {
  if (!isOurs(fields)) return "none of Envoy's usual keys";
  const entries = Object.entries(KEYS).map(([name, keys]) => {
    const found = keys
      .map((key) => fields[key])
      .find((value) => value !== undefined && value !== null);
    const isTold =
      (typeof found === "string" && found !== "-" && found !== "") || typeof found === "number";
    return [name, isTold ? String(found) : undefined];
  });
  return Object.fromEntries(entries) as unknown as Line;
}
