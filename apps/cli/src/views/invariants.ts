/** What a machine must be able to do, as lines for a person: what holds on one, what does not each on its own. */
import type { InvariantView } from "@bulkhead/api";
import type { Ui } from "../ui/ui.ts";
import { list } from "../ui/words.ts";

/** `held: dns 10.0.0.1, ntp 10.0.0.2; did not work before either: …`. Empty where nothing was looked at. */
export function invariantsLine(checks: readonly InvariantView[], ui: Ui): string {
  const names = (fits: (one: InvariantView) => boolean): string =>
    list(
      checks.filter(fits).map(({ name }) => name),
      ui.wide ? checks.length : 5,
    );
  const held = names(({ after }) => after === "held");
  const broken = names(({ after }) => after === "failed");
  const before = names(({ before: then }) => then === "failed");
  return [
    ...(held === "" ? [] : [`held: ${held}`]),
    ...(broken === "" ? [] : [ui.style.red(`broken: ${broken}`)]),
    ...(before === "" ? [] : [ui.style.dim(`did not work before either: ${before}`)]),
  ].join("; ");
}
