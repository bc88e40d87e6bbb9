/**
 * Reads what `nft -p -y list table …` prints back into a Table. Text, not JSON: the JSON of nft 1.0.6 leaves out the
 * `dynamic` flag, table comments and dormancy, and rounds timeouts to seconds. Whatever the reader does not know is
 * kept as it stands, so that it shows up as a difference and never passes unseen.
 */
import { canonicalIp, cidrRange, formatIp, parseCidr } from "@bulkhead/model";
import type { Chain, Element, ElementSet, Table, TableFamily } from "./ruleset.ts";

const UNITS: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
};

/** `1h2m3s4ms` → milliseconds; NaN when it is not a time. */
export const parseTimeout = (text: string): number => {
  if (!/^(?:\d+(?:ms|[dhms]))+$/.test(text)) return Number.NaN;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[dhms])/g))
    total += Number(count) * (UNITS[unit as string] as number);
  return total;
};

/** Prefixes as ranges, addresses in our canonical form. */
const normalPart = (part: string): string => {
  if (part.includes("/")) {
    const parsed = parseCidr(part);
    if (parsed === null) return part;
    const { family, first, last } = cidrRange(parsed.cidr);
    return first === last
      ? formatIp(family, first)
      : `${formatIp(family, first)}-${formatIp(family, last)}`;
  }
  if (!part.includes(":")) return part;
  return part
    .split("-")
    .map((end) => canonicalIp(end) ?? end)
    .join("-");
};

/** Numbers of interfaces by name: nft prints the name of a numbered interface as long as there is one. */
export type Links = ReadonlyMap<string, number>;

const normalKey = (key: string, type: string, links: Links): string => {
  const name = key.replaceAll('"', "");
  if (type === "ifname") return name;
  if (type === "iface_index") return `${links.get(name) ?? name}`;
  if (type.endsWith(" . iface_index")) {
    const [address = "", link = ""] = name.split(" . ");
    return `${normalPart(address)} . ${links.get(link) ?? link}`;
  }
  return key.split(" . ").map(normalPart).join(" . ");
};

const ELEMENT =
  /^(?<key>.*?)(?: timeout (?<timeout>\S+))?(?: expires (?<expires>\S+))?(?: comment "(?<comment>[^"]*)")?(?: : (?<value>.*))?$/s;

const parseElement = (text: string, type: string, readAt: number, links: Links): Element => {
  const { key = text, expires, timeout, comment, value } = ELEMENT.exec(text)?.groups ?? {};
  const left = expires ?? timeout;
  return {
    key: normalKey(key, type, links),
    ...(value === undefined ? {} : { value }),
    ...(comment === undefined ? {} : { comment }),
    ...(left === undefined ? {} : { deadline: readAt + parseTimeout(left) }),
  };
};

/** Splits `a, b "x, y"` at commas outside quotes. */
const splitElements = (text: string): readonly string[] => {
  if (!text.includes('"')) return text.split(",").map((part) => part.trim());
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (c === '"') quoted = !quoted;
    if (c !== "," || quoted) continue;
    parts.push(text.slice(from, at).trim());
    from = at + 1;
  }
  parts.push(text.slice(from).trim());
  return parts;
};

const parseSet = (
  kind: "set" | "map",
  name: string,
  lines: readonly string[],
  readAt: number,
  links: Links,
): ElementSet => {
  const start = lines.findIndex((line) => line.startsWith("elements = {"));
  const head = start < 0 ? lines : lines.slice(0, start);
  const field = (word: string): string | undefined =>
    head.find((line) => line.startsWith(`${word} `))?.slice(word.length + 1);
  const known = new Set(["type", "flags", "size", "timeout"]);
  const strange = head.filter((line) => !known.has(line.split(" ")[0] ?? ""));
  // What we do not know of a declaration is kept in its type, where it cannot be overlooked.
  const type = [field("type") ?? "", ...strange].join("; ");
  const flags = (field("flags") ?? "")
    .split(",")
    .filter((flag) => flag !== "")
    .toSorted();
  const size = field("size");
  const timeout = field("timeout");
  const elements = new Map<string, Element>();
  if (start >= 0 && !flags.includes("dynamic")) {
    const text = lines
      .slice(start)
      .join(" ")
      .slice("elements = {".length)
      .replace(/\}$/, "")
      .trim();
    for (const part of text === "" ? [] : splitElements(text)) {
      const element = parseElement(part, type, readAt, links);
      elements.set(element.key, element);
    }
  }
  return {
    name,
    kind,
    type,
    flags,
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(timeout === undefined ? {} : { timeout }),
    elements,
  };
};

const parseChain = (name: string, lines: readonly string[]): Chain => {
  const base = lines[0]?.startsWith("type ") === true ? lines[0] : undefined;
  return {
    name,
    ...(base === undefined ? {} : { base }),
    rules: base === undefined ? lines : lines.slice(1),
  };
};

/** Null when the text is no table of ours (`table inet bulkhead {`). `readAt`: when it was read, in milliseconds. */
export const parseListing = (
  text: string,
  readAt: number,
  links: Links = new Map(),
): Table | null => {
  const lines = text.split("\n");
  const head = /^table (inet|netdev|bridge) (\S+) \{$/.exec(lines[0] ?? "");
  if (head === null) return null;
  const counters = new Set<string>();
  const sets = new Map<string, ElementSet>();
  const chains = new Map<string, Chain>();
  const strangers: string[] = [];
  const flags: string[] = [];
  let comment: string | undefined;
  for (let at = 1; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    if (line === "" || line === "}") continue;
    const open = /^\t(\S+) (\S+) \{$/.exec(line);
    if (open === null) {
      const remark = /^\tcomment "(.*)"$/.exec(line);
      const flag = /^\tflags (.+)$/.exec(line);
      if (remark !== null) comment = remark[1];
      else if (flag !== null) flags.push(...(flag[1] as string).split(","));
      else strangers.push(line.trim());
      continue;
    }
    const body: string[] = [];
    for (at += 1; at < lines.length && lines[at] !== "\t}"; at += 1) {
      const inner = (lines[at] ?? "").trim();
      if (inner !== "") body.push(inner);
    }
    const [, what, name = ""] = open;
    if (what === "counter") counters.add(name);
    else if (what === "set" || what === "map")
      sets.set(name, parseSet(what, name, body, readAt, links));
    else if (what === "chain") chains.set(name, parseChain(name, body));
    else strangers.push(`${what} ${name}`);
  }
  return {
    family: head[1] as TableFamily,
    name: head[2] as string,
    ...(comment === undefined ? {} : { comment }),
    flags,
    counters,
    sets,
    chains,
    strangers,
  };
};
