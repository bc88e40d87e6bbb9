/** Tests of single texts. Expressions are RE2's: linear time, whoever wrote them, and Envoy's and Cilium's own syntax. */
import { RE2JS } from "re2js";
import { cidrRange, parseCidr, parseIp, rangeContains, type TextMatch } from "@bulkhead/model";

const compiled = new Map<string, RE2JS>();

/** Throws where RE2 cannot read the expression; dialects refuse such a one, with its place. */
export function matchesExpression(expression: string, text: string): boolean {
  let program = compiled.get(expression);
  if (program === undefined) compiled.set(expression, (program = RE2JS.compile(expression)));
  return program.matches(text);
}

export function textMatches(match: TextMatch, text: string): boolean {
  switch (match.kind) {
    case "present":
      return text !== "";
    case "regex":
      return matchesExpression(match.value, text);
    case "cidr":
      return inPrefix(match.value, text);
    case "exact":
    case "prefix":
    case "suffix": {
      const [wanted, found] =
        match.ignoreCase === true
          ? [match.value.toLowerCase(), text.toLowerCase()]
          : [match.value, text];
      if (match.kind === "exact") return found === wanted;
      return match.kind === "prefix" ? found.startsWith(wanted) : found.endsWith(wanted);
    }
  }
}

function inPrefix(prefix: string, text: string): boolean {
  const parsed = parseCidr(prefix);
  const address = parseIp(text);
  return parsed !== null && address !== null && rangeContains(cidrRange(parsed.cidr), address);
}
