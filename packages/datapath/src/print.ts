/**
 * Ruleset → nft text: the declarative form for people and first loads, and the pieces that a transaction is made of.
 * Deadlines become timeouts relative to `now`; elements already past theirs are left out.
 */
import { TABLE_FAMILIES, isOfCgroups } from "./ruleset.ts";
import type { Element, ElementSet, Ruleset, Table } from "./ruleset.ts";

/** `5500` → `5s500ms`, as nft reads and prints it; at least one millisecond. */
const formatTimeout = (milliseconds: number): string => {
  const whole = Math.max(1, Math.round(milliseconds));
  const seconds = Math.floor(whole / 1000);
  const rest = whole % 1000;
  return `${seconds > 0 ? `${seconds}s` : ""}${rest > 0 || seconds === 0 ? `${rest}ms` : ""}`;
};

export const isExpired = ({ deadline }: Element, now: number): boolean =>
  deadline !== undefined && deadline <= now;

export const printKey = ({ key, cgroup, written }: Element, { type }: ElementSet): string => {
  if (written !== undefined) return written;
  if (cgroup !== undefined) return spellCgroup(cgroup, key.slice(cgroup.length));
  return type === "ifname" ? `"${key}"` : key;
};

/** nft takes the path from where it looks for control groups, without a slash in front. */
export const spellCgroup = (path: string, rest: string): string => `"${path.slice(1)}"${rest}`;

export const printElement = (element: Element, set: ElementSet, now: number): string => {
  const { deadline, comment, value } = element;
  const timeout = deadline === undefined ? "" : ` timeout ${formatTimeout(deadline - now)}`;
  const remark = comment === undefined ? "" : ` comment "${comment}"`;
  return `${printKey(element, set)}${timeout}${remark}${value === undefined ? "" : ` : ${value}`}`;
};

/** `type ipv4_addr : verdict; flags interval;` */
export const printDeclaration = ({ type, flags, size, timeout }: ElementSet): string =>
  [
    `type ${type};`,
    ...(flags.length === 0 ? [] : [`flags ${flags.join(",")};`]),
    ...(size === undefined ? [] : [`size ${size};`]),
    ...(timeout === undefined ? [] : [`timeout ${timeout};`]),
  ].join(" ");

const PROTOCOL = /\b(meta l4proto|ct protocol)( !=)? (\d+)\b/g;
const NFT_NAMES: ReadonlyMap<number, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
  [58, "ipv6-icmp"],
  [132, "sctp"],
]);

/** Numbers of protocols as names, for people. nft reads both. */
const forPeople = (rule: string): string =>
  rule.replace(PROTOCOL, (whole, what: string, not: string | undefined, number: string) => {
    const name = NFT_NAMES.get(Number(number));
    return name === undefined ? whole : `${what}${not ?? ""} ${name}`;
  });

const keyForPeople = (element: Element, set: ElementSet): Element => {
  const at = set.type.split(" : ")[0]?.split(" . ").indexOf("inet_proto") ?? -1;
  if (at < 0) return element;
  if (isOfCgroups(set)) return element;
  const parts = element.key.split(" . ");
  parts[at] = NFT_NAMES.get(Number(parts[at])) ?? `${parts[at]}`;
  return { ...element, key: parts.join(" . ") };
};

const block = (head: string, lines: readonly string[]): readonly string[] => [
  `\t${head} {`,
  ...lines.map((line) => `\t\t${line}`),
  "\t}",
  "",
];

const printSet = (set: ElementSet, now: number): readonly string[] => {
  const elements = [...set.elements.values()]
    .filter((element) => !isExpired(element, now))
    .map((element) => printElement(keyForPeople(element, set), set, now));
  const lines = printDeclaration(set)
    .split(/(?<=;) /)
    .map((part) => part.slice(0, -1));
  const last = elements.length - 1;
  return block(`${set.kind} ${set.name}`, [
    ...lines,
    ...elements.map(
      (text, index) =>
        `${index === 0 ? "elements = { " : "\t     "}${text}${index === last ? " }" : ","}`,
    ),
  ]);
};

export const printTable = (table: Table, now: number): string =>
  [
    `table ${table.family} ${table.name} {`,
    ...(table.comment === undefined ? [] : [`\tcomment "${table.comment}"`, ""]),
    ...[...table.counters].flatMap((name) => block(`counter ${name}`, [])),
    ...[...table.sets.values()].flatMap((set) => printSet(set, now)),
    ...[...table.chains.values()].flatMap(({ name, base, rules }) =>
      block(`chain ${name}`, [...(base === undefined ? [] : [base]), ...rules.map(forPeople)]),
    ),
    "}",
    "",
  ].join("\n");

/** The whole ruleset as one file that `nft -f` loads. */
export const printRuleset = (ruleset: Ruleset, now: number): string =>
  TABLE_FAMILIES.flatMap((family) => ruleset[family] ?? [])
    .map((table) => printTable(table, now))
    .join("\n");
