/** What lines over addresses and ports cannot tell of a policy set: they hold at best. */
import { formatSpan, type PolicySet, type Rule } from "@bulkhead/model";

export interface Untold {
  /** Rules that look into requests, ask for proof or for another's word: listed as if every request pleased them. */
  readonly conditional: number;
}

export function untoldOf({ stages }: PolicySet): Untold {
  const rules = stages.flatMap(({ blocks }) => blocks.flatMap((block) => block.rules));
  // As somebody wrote them: a dialect may need several of ours for one.
  const written = (isMeant: (rule: Rule) => boolean): number =>
    new Set(rules.filter(isMeant).map(({ source }) => formatSpan(source))).size;
  return {
    conditional: written(
      ({ l7, auth, action }) => l7 !== undefined || auth === "required" || action === "custom",
    ),
  };
}
