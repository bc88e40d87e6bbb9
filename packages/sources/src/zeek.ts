/**
 * Zeek's conn.log: tab-separated, its columns and marks told by `#` lines, or JSON Lines. Zeek follows connections, so that
 * each is told of once, with its outcome.
 * Fields: https://docs.zeek.org/en/master/logs/conn.html
 */
import { ICMP, ICMPV6, type FlowOrigin } from "@bulkhead/model";
import type { FlowFormatReader, FlowSink } from "./flow-format.ts";
import { createEnds } from "./shared/ends.ts";
import { protocolOf } from "./shared/protocols.ts";
import { headLines, readTextLines } from "./shared/text-lines.ts";
import { digitsOf, digitsOrZero, isTime, parseFields } from "./shared/values.ts";

const TOLD: FlowOrigin = { format: "zeek", sampling: 1, aggregation: 0, direction: "told" };
const GUESSED: FlowOrigin = { ...TOLD, direction: "guessed" };

/** https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html: answered, and refused or never answered. */
const ANSWERED = new Set(["S1", "SF", "S2", "S3", "RSTO", "RSTR", "SHR"]);
const FAILED = new Set(["S0", "REJ", "RSTOS0", "RSTRH", "SH"]);
/** Requests of echo, by type; the others are news of something else. */
const ECHO = new Set([8, 128]);

const FIELDS = [
  "ts",
  "id.orig_h",
  "id.orig_p",
  "id.resp_h",
  "id.resp_p",
  "proto",
  "duration",
  "orig_bytes",
  "resp_bytes",
  "conn_state",
  "history",
  "orig_pkts",
  "orig_ip_bytes",
  "resp_pkts",
  "resp_ip_bytes",
] as const;
type Field = (typeof FIELDS)[number];
type Values = (field: Field) => string | undefined;

export const zeek: FlowFormatReader = {
  name: "zeek",
  title: "Zeek's conn.log, tab-separated or JSON",
  recognises: (head) =>
    headLines(head, 12).some((line) => {
      if (line.startsWith("#fields")) return line.includes("id.orig_h") && line.includes("proto");
      if (!line.startsWith("{")) return false;
      const fields = parseFields(line);
      return typeof fields !== "string" && "id.orig_h" in fields && "proto" in fields;
    }),
  open: (sink) => {
    const give = createGiver(sink);
    const table = createTable();
    return readTextLines(sink, {
      get origin() {
        return give.origin;
      },
      line(text, malformed) {
        if (text.startsWith("#")) return table.directive(text);
        const values = text.startsWith("{") ? jsonValues(text) : table.values(text);
        const problem = typeof values === "string" ? values : give(values);
        if (problem !== undefined) malformed(problem);
      },
    });
  },
};

function createGiver(sink: FlowSink) {
  const ends = createEnds();
  let anyGuessed = false;
  const give = (value: Values): string | undefined => {
    const ts = Number(value("ts"));
    const start = Math.round(ts * 1000);
    if (!isTime(start)) return "no `ts`";
    const source = ends.at(value("id.orig_h") ?? "");
    const destination = ends.at(value("id.resp_h") ?? "");
    if (source === undefined || destination === undefined) return "no addresses";
    const name = value("proto");
    const protocol = name === "icmp" && source.address.includes(":") ? ICMPV6 : protocolOf(name);
    if (protocol === undefined) {
      sink.other("an unknown protocol");
      return undefined;
    }
    const from = digitsOf(value("id.orig_p"));
    const to = digitsOf(value("id.resp_p"));
    if (!(from <= 65535) || !(to <= 65535)) return "no ports";
    const isIcmp = protocol === ICMP || protocol === ICMPV6;
    if (isIcmp && !ECHO.has(from)) {
      sink.other("ICMP that is no echo");
      return undefined;
    }
    const state = value("conn_state") ?? "";
    // A caret: Zeek turned the connection round, by what it knows of ports.
    const isTurned = value("history")?.startsWith("^") === true;
    anyGuessed ||= isTurned || state === "OTH";
    const duration = Number(value("duration") ?? 0);
    sink.flow({
      start,
      end: duration >= 0 && duration < 1e9 ? start + Math.round(duration * 1000) : start,
      source,
      destination,
      protocol,
      // Zeek has the type and code of ICMP where ports are.
      port: isIcmp ? from * 256 + (to % 256) : to,
      sourcePort: isIcmp ? 0 : from,
      verdict: "forwarded",
      connections: 1,
      established: ANSWERED.has(state) ? 1 : 0,
      failed: FAILED.has(state) ? 1 : 0,
      bytes:
        digitsOrZero(value("orig_ip_bytes") ?? value("orig_bytes")) +
        digitsOrZero(value("resp_ip_bytes") ?? value("resp_bytes")),
      packets: digitsOrZero(value("orig_pkts")) + digitsOrZero(value("resp_pkts")),
      origin: isTurned || state === "OTH" ? GUESSED : TOLD,
    });
    return undefined;
  };
  return Object.defineProperty(give, "origin", {
    get: () => (anyGuessed ? GUESSED : TOLD),
  }) as typeof give & { readonly origin: FlowOrigin };
}

/** The table as its directives lay it out. */
function createTable() {
  let separator = "\t";
  let unset = "-";
  let empty = "(empty)";
  let places: ReadonlyMap<string, number> | undefined;
  let columns = 0;
  let cells: readonly string[] = [];
  const value: Values = (field) => {
    const place = places?.get(field);
    const cell = place === undefined ? undefined : cells[place];
    return cell === unset || cell === empty ? undefined : cell;
  };
  return {
    directive(text: string): void {
      const [, name = "", rest = ""] = /^#(\w+).?(.*)$/.exec(text) ?? [];
      switch (name) {
        case "separator":
          separator = unescape(rest.trim()) || "\t";
          return;
        case "unset_field":
          unset = rest;
          return;
        case "empty_field":
          empty = rest;
          return;
        case "fields": {
          const names = rest.split(separator);
          columns = names.length;
          places = new Map(names.map((field, at) => [field, at]));
        }
      }
    },
    values(text: string): Values | string {
      if (places === undefined) return "no `#fields` before it";
      cells = text.split(separator);
      if (cells.length === columns) return value;
      return `${cells.length} fields, where ${columns} are expected`;
    },
  };
}

/** `\x09` */
function unescape(text: string): string {
  return text.replaceAll(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function jsonValues(text: string): Values | string {
  const fields = parseFields(text);
  if (typeof fields === "string") return fields;
  return (field) => {
    const found = fields[field];
    if (field === "ts" && typeof found === "string" && found.includes("T")) {
      return String(Date.parse(found) / 1000);
    }
    return typeof found === "number" || typeof found === "string" ? String(found) : undefined;
  };
}
