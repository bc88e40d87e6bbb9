/**
 * A rule of Calico's policies and its two ends, every field of `api/pkg/apis/projectcalico/v3/policy_common.go`. What
 * `libcalico-go/lib/validator/v3/validator.go` and the CRDs' own rules forbid is an error in place, all of it at once.
 */
import {
  cidrRange,
  ICMP,
  ICMPV6,
  parseCidr,
  parseCidrOrAddress,
  TCP,
  type Cidr,
  type Direction,
} from "@bulkhead/model";
import { fields, ignored, optional, refused, required } from "../text/fields.ts";
import type { Reader } from "../text/reader.ts";
import {
  integer,
  list,
  mapped,
  refined,
  text,
  word,
  type Read,
  type Shape,
} from "../text/shape.ts";
import { readCidr } from "../native/networks.ts";
import { expression, namesGlobal, type Expression } from "./expression.ts";
import { extentAt } from "./places.ts";
import { hasPorts, port, protocol } from "./ports.ts";

/** Of sets and host endpoints: host bits are masked there, and a bare address stands for itself. */
export const net = refined<Cidr>((value) => {
  const parsed = parseCidrOrAddress(value);
  return parsed === null
    ? { code: "BH0203", error: `\`${value}\` is neither an address nor a prefix` }
    : readCidr(value, parsed);
});

/** Of rules: the validator takes neither a bare address nor host bits, what comes after it does. */
const ruleNet = refined<Cidr>((value) => {
  const whole = parseCidr(value);
  const parsed = parseCidrOrAddress(value);
  if (parsed === null) return { code: "BH0203", error: `\`${value}\` is not a prefix` };
  const help = `read as \`${parsed.cidr}\`, which Calico's own tools want to see written`;
  if (whole === null) {
    const warning = { code: "BH0203", error: `\`${value}\` has no prefix length`, help } as const;
    return { value: parsed.cidr, warning };
  }
  if (!whole.hadHostBits) return readCidr(value, whole);
  const error = `\`${value}\` has bits set beyond its prefix length`;
  return { value: whole.cidr, warning: { code: "BH0204", error, help } };
});

const nets = optional(list(ruleNet, "prefixes"));
export const selector = optional(expression);

const accountMatch = fields("service accounts", {
  names: optional(list(text, "names")),
  selector,
});
const serviceMatch = fields("a service", { name: required(text), namespace: optional(text) });

const entityFields = fields("an end", {
  nets,
  notNets: nets,
  selector,
  notSelector: selector,
  namespaceSelector: selector,
  services: optional(serviceMatch),
  ports: optional(list(port, "ports")),
  notPorts: optional(list(port, "ports")),
  serviceAccounts: optional(accountMatch),
  domains: refused("it is Calico Enterprise's; name the addresses"),
});

const SELECTORS = ["selector", "notSelector", "namespaceSelector"] as const;
const BESIDE_SERVICES = ["nets", "notNets", ...SELECTORS, "serviceAccounts"] as const;

/** An empty text is a selector that is not given (`updateprocessors/rules.go`). */
export const written = (of: Expression | undefined): Expression | undefined =>
  of?.kind === "all" && of.isEmpty === true ? undefined : of;

const entity = mapped(entityFields, (value, node, at) => {
  const { services, serviceAccounts } = value;
  const unset = SELECTORS.filter((key) => written(value[key]) === undefined);
  const asksAccounts =
    written(serviceAccounts?.selector) !== undefined || (serviceAccounts?.names?.length ?? 0) > 0;
  const given = {
    ...value,
    ...Object.fromEntries(unset.map((key) => [key, undefined])),
    ...(asksAccounts ? {} : { serviceAccounts: undefined }),
  } as typeof value;
  let isSound = true;
  const report = (key: string, message: string, help?: string) => {
    at.report("BH0109", extentAt(node, key), message, help);
    isSound = false;
  };
  for (const key of BESIDE_SERVICES) {
    const one = given[key];
    if (services === undefined || one === undefined) continue;
    if (Array.isArray(one) && one.length === 0) continue;
    report(key, `\`services\` and \`${key}\` exclude each other`, "make it two rules");
  }
  if (given.selector !== undefined && namesGlobal(given.selector))
    report("selector", GLOBAL_ELSEWHERE);
  const { namespaceSelector: of } = given;
  if (of !== undefined && of.kind !== "global" && namesGlobal(of))
    report("namespaceSelector", "`global()` stands alone", "make it two rules");
  return isSound ? given : undefined;
});

export const GLOBAL_ELSEWHERE = "`global()` can stand in the `namespaceSelector` of an end only";

const icmpFields = mapped(
  fields("ICMP fields", { type: optional(integer(0, 254)), code: optional(integer(0, 255)) }),
  (value, node, at) => {
    if (value.code === undefined || value.type !== undefined) return value;
    at.report("BH0103", node, "`code` needs a `type`");
    return undefined;
  },
);

/** RFC 3986, section 3.3; the query is no part of it. */
const pathText = refined<string>((value) =>
  value.startsWith("/") && !/[? #]/.test(value)
    ? { value }
    : {
        code: "BH0105",
        error: `\`${value}\` is not a path`,
        help: "it begins with `/`, and has no `?`, `#` or space",
      },
);
const httpPath = mapped(
  fields("a path", { exact: optional(pathText), prefix: optional(pathText) }),
  (value, node, at) => {
    if ((value.exact === undefined) !== (value.prefix === undefined)) return value;
    at.report("BH0109", node, "a path has either `exact` or `prefix`");
    return undefined;
  },
);

const methods = mapped(list(text, "methods"), (value, node, at) => {
  const twice = value.findIndex((one, place) => value.indexOf(one) < place);
  if (twice < 0) return value;
  at.report("BH0108", extentAt(node, twice), `method \`${value[twice]}\` is given twice`);
  return undefined;
});

const ruleFields = fields("a rule", {
  action: required(word("action", "Allow", "Deny", "Log", "Pass")),
  ipVersion: optional(integer(4, 6)),
  protocol: optional(protocol),
  notProtocol: optional(protocol),
  icmp: optional(icmpFields),
  notICMP: optional(icmpFields),
  source: optional(entity),
  destination: optional(entity),
  http: optional(
    fields("an HTTP match", {
      methods: optional(methods),
      paths: optional(list(httpPath, "paths")),
    }),
  ),
  metadata: ignored(),
});

type RawRule = Read<typeof ruleFields>;
export type EntityRule = Read<typeof entity>;
export type CalicoRule = Omit<RawRule, "source"> & {
  readonly source?: EntityRule;
  readonly place: ReturnType<Reader["span"]>;
};

type Problem = readonly [path: readonly string[], message: string, help?: string];

/** Of the first two fields whose prefixes are of different families, or of another than the rule. */
function* aboutFamilies({ ipVersion, source, destination }: RawRule): Generator<Problem> {
  let known = ipVersion === 4 || ipVersion === 6 ? ipVersion : undefined;
  for (const [end, given] of [
    ["source", source],
    ["destination", destination],
  ] as const) {
    for (const key of ["nets", "notNets"] as const) {
      for (const { family } of (given?.[key] ?? []).map(cidrRange)) {
        known ??= family;
        if (family === known) continue;
        yield [[end, key], "a rule is about IPv4 or IPv6, not about both", "make it two rules"];
        return;
      }
    }
  }
}

function* aboutProtocols({ protocol: of, notProtocol, ...rule }: RawRule): Generator<Problem> {
  const { ipVersion, http, action, icmp, notICMP } = rule;
  if (ipVersion === 5) yield [["ipVersion"], "`ipVersion` is 4 or 6"];
  if (http !== undefined && of !== undefined && of !== TCP)
    yield [["http"], "`http` needs protocol TCP"];
  if (http !== undefined && action !== "Allow")
    yield [["http"], "`http` goes with action `Allow` only"];
  for (const [key, given] of [
    ["icmp", icmp],
    ["notICMP", notICMP],
  ] as const) {
    if (given !== undefined && of !== ICMP && of !== ICMPV6)
      yield [[key], `\`${key}\` needs protocol ICMP or ICMPv6`];
  }
  for (const [key, family] of [
    ["protocol", of],
    ["notProtocol", notProtocol],
  ] as const) {
    if (family === ICMP && ipVersion === 6) yield [[key], "protocol ICMP needs `ipVersion` 4"];
    if (family === ICMPV6 && ipVersion === 4) yield [[key], "protocol ICMPv6 needs `ipVersion` 6"];
  }
  for (const end of ["source", "destination"] as const) {
    for (const key of ["ports", "notPorts"] as const) {
      const count = rule[end]?.[key]?.length ?? 0;
      if (count > 0 && (of === undefined || !hasPorts(of)))
        yield [[end, key], `ports of the ${end} need protocol TCP, UDP or SCTP`];
    }
  }
}

function* aboutPlace(rule: RawRule, direction: Direction, isGlobal: boolean): Generator<Problem> {
  if (rule.http !== undefined && direction === "egress")
    yield [["http"], "`http` goes with ingress rules only"];
  const [peer, own] =
    direction === "ingress"
      ? (["source", "destination"] as const)
      : (["destination", "source"] as const);
  if (rule[own]?.services !== undefined)
    yield [[own, "services"], `the ${own} of an ${direction} rule cannot be \`services\``];
  const { services } = rule[peer] ?? {};
  if (isGlobal && services !== undefined && (services.namespace ?? "") === "")
    yield [[peer, "services"], "`services` of a global policy need a `namespace`"];
  for (const key of ["ports", "notPorts"] as const) {
    if (rule.destination?.services !== undefined && (rule.destination[key]?.length ?? 0) > 0)
      yield [["destination", key], `\`${key}\` and \`services\` exclude each other`];
  }
}

const ruleOf = (direction: Direction, isGlobal: boolean): Shape<CalicoRule> =>
  mapped(ruleFields, (value, node, at) => {
    const problems = [
      ...aboutProtocols(value),
      ...aboutFamilies(value),
      ...aboutPlace(value, direction, isGlobal),
    ];
    for (const [path, message, help] of problems)
      at.report("BH0109", extentAt(node, ...path), message, help);
    return problems.length === 0 ? { ...value, place: at.span(node) } : undefined;
  });

export const rulesOf = (isGlobal: boolean) => ({
  ingress: optional(list(ruleOf("ingress", isGlobal), "rules")),
  egress: optional(list(ruleOf("egress", isGlobal), "rules")),
});

/** Which of a policy's own selectors name `global()`, which is for ends of rules. */
export const withGlobal = (
  spec: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): readonly string[] =>
  keys.filter((key) => {
    const of = spec[key] as Expression | undefined;
    return of !== undefined && namesGlobal(of);
  });
