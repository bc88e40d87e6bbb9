/** What people are told of the cookie that the kernel reported: the rule's or block's id, or the guard that no rule stands behind. */
import { GUARDS, type Cookie, type CookieName } from "@bulkhead/model";

export type RuleNames = (cookie: Cookie) => string | undefined;

/** Undefined for a cookie of a policy that is no longer in force. */
export function ruleNames(cookies: readonly CookieName[]): RuleNames {
  const rules = new Map(cookies.map(({ cookie, rule }) => [cookie, rule]));
  return (cookie) => rules.get(cookie) ?? GUARDS[cookie];
}
