/** Rules of the common form as rules of an AuthorizationPolicy: sources, ports of TCP, and what is asked of requests. */
import {
  allPorts,
  portsOf,
  portsOfProtocol,
  subtract,
  TCP,
  type Condition,
  type PortInterval,
  type Predicate,
  type Rule,
  type TextMatch,
} from "@bulkhead/model";
import { narrowed, type ExportedObject, type Losses } from "../export/exported.ts";
import { sourcesOf, type MeshView } from "./print-callers.ts";
import { patternOf } from "./patterns.ts";

/** Longer lists of single ports nobody reads; Istio has no ranges. */
const MOST = 256;

const numbers = (intervals: readonly PortInterval[]): readonly string[] | null => {
  const count = intervals.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (count > MOST || intervals.some(({ first }) => first === 0)) return null;
  return intervals.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, at) => String(first + at)),
  );
};

/** Null: none of TCP's; what is said of other protocols goes by the mesh. */
const portFields = (rule: Rule, losses: Losses): ExportedObject | null => {
  const named = rule.ports.find((match) => match.kind === "named");
  if (named !== undefined) narrowed(rule, "this rule names a port", losses);
  const set = portsOf(rule.ports, () => []);
  const intervals = portsOfProtocol(set, TCP);
  if (intervals.length === 0) return null;
  const rest = portsOfProtocol(subtract(allPorts, set), TCP);
  if (rest.length === 0) return {};
  const ports = numbers(intervals);
  if (ports !== null) return { ports };
  const notPorts = numbers(rest);
  if (notPorts !== null) return { notPorts };
  narrowed(rule, "a long range of ports", losses);
  return null;
};

const textOf = (match: TextMatch, ignoreCase: boolean): string | null => {
  const candidate = (): string | null => {
    switch (match.kind) {
      case "exact":
      case "cidr":
        return match.value;
      case "prefix":
        return `${match.value}*`;
      case "suffix":
        return `*${match.value}`;
      case "present":
        return "*";
      case "regex":
        return null;
    }
  };
  const text = candidate();
  if (text === null || text === "" || match.kind === "cidr") return text === "" ? null : text;
  const read = patternOf(text, ignoreCase).match;
  const isTemplate = /\{\*{1,2}\}/.test(text);
  return !isTemplate && JSON.stringify(read) === JSON.stringify(match) ? text : null;
};

const FIELDS: Readonly<
  Record<string, readonly [part: "source" | "operation", yes: string, no: string]>
> = {
  host: ["operation", "hosts", "notHosts"],
  method: ["operation", "methods", "notMethods"],
  path: ["operation", "paths", "notPaths"],
  "request-principal": ["source", "requestPrincipals", "notRequestPrincipals"],
  "remote-ip": ["source", "remoteIpBlocks", "notRemoteIpBlocks"],
};

const keyOf = (attribute: Condition["attribute"]): string | null => {
  if (attribute === "sni") return "connection.sni";
  const header = /^header:(.+)$/.exec(attribute)?.[1];
  if (header !== undefined) return `request.headers[${header}]`;
  const claim = /^claim:(.+)$/.exec(attribute)?.[1];
  return claim === undefined ? null : `request.auth.claims[${claim.replaceAll(".", "][")}]`;
};

interface Asked {
  readonly source: ExportedObject;
  readonly operation: ExportedObject;
  readonly when: readonly ExportedObject[];
}

/** Null: no words for it. */
const askedOf = ({ kind, conditions }: Predicate): Asked | null => {
  const parts: Record<"source" | "operation", Record<string, unknown>> = {
    source: {},
    operation: {},
  };
  const when: ExportedObject[] = [];
  for (const { attribute, anyOf, noneOf } of conditions) {
    const texts = (matches: readonly TextMatch[]) =>
      matches.map((one) => textOf(one, attribute === "host"));
    const [values, notValues] = [texts(anyOf), texts(noneOf)];
    if ([...values, ...notValues].includes(null)) return null;
    const field = FIELDS[attribute];
    const key = keyOf(attribute);
    if (field !== undefined) {
      const [part, yes, no] = field;
      if (yes in parts[part] || no in parts[part]) return null;
      if (values.length > 0) parts[part][yes] = values;
      if (notValues.length > 0) parts[part][no] = notValues;
    } else if (key !== null) {
      when.push({
        key,
        ...(values.length === 0 ? {} : { values }),
        ...(notValues.length === 0 ? {} : { notValues }),
      });
    } else return null;
  }
  const isBare = conditions.length === 0;
  if (isBare && kind === "http") return { source: {}, operation: { methods: ["*"] }, when };
  return kind === "dns" || isBare ? null : { ...parts, when };
};

/** What Istio has no words for; null: nothing. */
const beyond = ({ l7, l7Mode, onOpaque, action, expiresAt }: Rule): string | null => {
  if (expiresAt !== undefined) return "this rule ends by itself";
  if (l7 === undefined) return null;
  const isWide = onOpaque === "widen";
  const isSame = action === "allow" ? !isWide : isWide;
  return isSame && l7Mode !== "terminal" && l7.every((one) => askedOf(one) !== null)
    ? null
    : "requests that are looked for in this way";
};

export interface PrintedRules {
  readonly rules: readonly ExportedObject[];
  /** Whoever meets them has a certificate. */
  readonly areIdentified: boolean;
}

const NOTHING: PrintedRules = { rules: [], areIdentified: true };

export const printedRules = (rule: Rule, view: MeshView): PrintedRules => {
  const { losses } = view;
  const missing = beyond(rule);
  if (missing !== null) narrowed(rule, missing, losses);
  const isUnproved =
    rule.auth === "required" &&
    losses.choose(rule, "this rule asks its ends to prove who they are") !== "widen";
  if (missing !== null || isUnproved) return NOTHING;
  const ports = portFields(rule, losses);
  if (ports === null) return NOTHING;
  const { from, areIdentified } = sourcesOf(rule, view);
  if (from !== "everyone" && from.length === 0) return NOTHING;
  const asked: readonly Asked[] =
    rule.l7 === undefined
      ? [{ source: {}, operation: {}, when: [] }]
      : rule.l7.flatMap((one) => askedOf(one) ?? []);
  const rules = asked.map(({ source, operation, when }) => {
    const ends = from === "everyone" ? [{ source: {} }] : from;
    const sources = ends
      .map((end) => ({ source: { ...(end["source"] as ExportedObject), ...source } }))
      .filter((end) => Object.keys(end.source).length > 0);
    const whole = { ...ports, ...operation };
    return {
      ...(sources.length === 0 ? {} : { from: sources }),
      ...(Object.keys(whole).length === 0 ? {} : { to: [{ operation: whole }] }),
      ...(when.length === 0 ? {} : { when }),
    };
  });
  return { rules, areIdentified };
};
