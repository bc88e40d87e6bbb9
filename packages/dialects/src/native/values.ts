/**
 * The small words of native resources: names, labels, selectors, times. Each is read into its refined type where it
 * stands, so that a mistake is shown under the very character. Prefixes, addresses and ports are in `networks.ts`.
 */
import {
  isServiceName,
  labelKeyProblem,
  labelValueProblem,
  parseSelector,
  selectorFromLabelSelector,
  type Selector,
} from "@bulkhead/model";
import { fields, optional, required } from "../text/fields.ts";
import {
  described,
  dictionary,
  either,
  list,
  mapped,
  refined,
  shared,
  text,
  word,
  type Refined,
} from "../text/shape.ts";

const DNS_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
const NAME_PATTERN = `^${DNS_LABEL}(?:\\.${DNS_LABEL})*$`;
const NAME = new RegExp(NAME_PATTERN);
const NAMESPACE = new RegExp(`^${DNS_LABEL}$`);

/** Kubernetes' rule for object names (RFC 1123 subdomain). */
export const isName = (value: string): boolean => value.length <= 253 && NAME.test(value);

const nameProblem = (value: string): Refined<string> =>
  isName(value)
    ? { value }
    : {
        code: "BH0107",
        error: `\`${value}\` is not a name`,
        help: "lower-case letters, digits, `-` and `.`, starting and ending with a letter or digit",
      };

export const name = refined(nameProblem, {
  pattern: NAME_PATTERN,
  maxLength: 253,
});

export const isNamespaceName = (value: string): boolean => NAMESPACE.test(value);

export const namespaceName = refined<string>(
  (value) =>
    NAMESPACE.test(value)
      ? { value }
      : {
          code: "BH0107",
          error: `\`${value}\` is not a namespace`,
          help: "at most 63 lower-case letters, digits and `-`",
        },
  { pattern: `^${DNS_LABEL}$` },
);

/** A namespace, or `*` for all of them. */
export const namespaceOrAll = refined<string>(
  (value) =>
    value === "*" || NAMESPACE.test(value)
      ? { value }
      : {
          code: "BH0107",
          error: `\`${value}\` is not a namespace`,
          help: "a namespace, or `*` for all of them",
        },
  { pattern: `^(?:\\*|${DNS_LABEL})$` },
);

/** `sets/office` or `office`: a name, with a namespace when it is not the resource's own. */
export const reference = refined<string>(
  (value) => {
    const parts = value.split("/");
    return parts.length <= 2 && parts.every((part) => isName(part))
      ? { value }
      : nameProblem(value);
  },
  { examples: ["office", "shared/office"] },
);

export const labelValue = refined<string>((value) => {
  const problem = labelValueProblem(value);
  return problem === null ? { value } : { code: "BH0202", error: `\`${value}\`: ${problem}` };
});

export const labels = shared(
  "labels",
  described(
    dictionary("labels", labelValue, labelKeyProblem),
    "Key and value pairs, with Kubernetes' rules for both.",
    { app: "db", tier: "backend" },
  ),
);

export const annotations = dictionary("annotations", text, labelKeyProblem);

const labelKey = refined<string>((value) => {
  const problem = labelKeyProblem(value);
  return problem === null ? { value } : { code: "BH0202", error: `\`${value}\`: ${problem}` };
});

const expression = mapped(
  fields("an expression", {
    key: required(labelKey),
    operator: required(word("operator", "In", "NotIn", "Exists", "DoesNotExist")),
    values: optional(list(labelValue, "label values")),
  }),
  (value, node, at) => {
    const wantsValues = value.operator === "In" || value.operator === "NotIn";
    const count = value.values?.length ?? 0;
    if (wantsValues === count > 0) return value;
    at.report(
      "BH0201",
      node,
      wantsValues
        ? `operator \`${value.operator}\` needs \`values\``
        : `operator \`${value.operator}\` takes no \`values\``,
    );
    return undefined;
  },
);

/** `metav1.LabelSelector`. The empty one selects everything. */
export const labelSelector = mapped(
  fields("a selector", {
    matchLabels: optional(labels),
    matchExpressions: optional(list(expression, "expressions")),
  }),
  (value): Selector => selectorFromLabelSelector(value),
);

export const selectorText = described(
  refined<Selector>((value) => {
    const parsed = parseSelector(value);
    return "selector" in parsed
      ? { value: parsed.selector }
      : {
          code: "BH0201",
          error: parsed.error,
          offset: parsed.offset,
          help: "for example `app=db,tier in (a,b),!old`",
        };
  }),
  "Kubernetes selector syntax; the empty text selects everything.",
  "app=db,tier in (a,b)",
);

export const selector = shared("selector", either("a selector", selectorText, labelSelector));

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

const isDate = (match: RegExpExecArray): boolean => {
  const part = (i: number): number => Number(match[i] ?? 0);
  const [year, month, day] = [part(1), part(2), part(3)];
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const inDay = part(4) < 24 && part(5) < 60 && part(6) < 61 && part(7) < 24 && part(8) < 60;
  return month >= 1 && month <= 12 && day >= 1 && day <= days && inDay;
};

/** RFC 3339 with its offset, as milliseconds since the epoch. */
export const time = described(
  refined<number>(
    (value) => {
      const match = RFC3339.exec(value);
      const at =
        match !== null && isDate(match) ? Date.parse(value.replace(" ", "T").toUpperCase()) : NaN;
      return Number.isNaN(at)
        ? {
            code: "BH0207",
            error: `\`${value}\` is not a point in time`,
            help: "RFC 3339 with an offset, for example `2030-01-31T18:00:00Z`",
          }
        : { value: at };
    },
    { format: "date-time" },
  ),
  "RFC 3339, absolute.",
  "2030-01-31T18:00:00Z",
);

/** Text that says something. */
export const sentence = refined<string>(
  (value) => (value.trim() === "" ? { code: "BH0103", error: "this cannot be empty" } : { value }),
  { pattern: "\\S" },
);

/** Characters of unit names (systemd.unit(5)) and, in paths, those that container runtimes put into theirs. */
const UNIT = "[A-Za-z0-9:_.@\\\\-]{1,240}\\.(?:service|scope|slice)";
const CGROUP = "(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9:_.@+=,~%\\\\-]+)+";
const UNIT_OR_CGROUP = new RegExp(`^(?:${UNIT}|${CGROUP})$`);

/** The name of a systemd unit, or the path of a control group. */
export const unitName = described(
  refined<string>(
    (value) =>
      UNIT_OR_CGROUP.test(value)
        ? { value }
        : {
            code: "BH0107",
            error: `\`${value}\` is neither a systemd unit nor the path of a control group`,
            help: "as `nginx.service`, with its suffix, or as `/system.slice/nginx.service`, from the root of version 2",
          },
    { pattern: `^(?:${UNIT}|${CGROUP})$` },
  ),
  "Processes of the machine itself: a systemd unit, or the path of a control group.",
  "nginx.service",
  "/system.slice/nginx.service",
);

export const serviceName = refined<string>((value) =>
  isServiceName(value)
    ? { value }
    : {
        code: "BH0205",
        error: `\`${value}\` is not a port name`,
        help: "at most 15 lower-case letters, digits and `-`, with a letter among them",
      },
);

export interface OwnerName {
  readonly kind: string;
  readonly name: string;
}

export const refinedOwner = refined<OwnerName>((value) => {
  const [kind, ownerName, ...rest] = value.split("/");
  return kind && ownerName && rest.length === 0
    ? { value: { kind, name: ownerName } }
    : {
        code: "BH0107",
        error: `\`${value}\` is not an owner`,
        help: "kind and name, as `Deployment/shop`",
      };
});
