/**
 * Tiers say in which order policies are asked, and have no mode of their own: a tier that moves takes the policies in it along,
 * enforced ones too. What is applied to be audited may change nothing that is enforced, so that such a change is refused.
 */
import { ApiFailure } from "@bulkhead/api";
import type { PolicySet, Stage } from "@bulkhead/model";

/** `before`, `after`: what is in force, and what would be. Throws ApiFailure `bad-policy`. */
export function refuseMovedTiers(before: PolicySet, after: PolicySet): void {
  const [was, is] = [enforcing(before), enforcing(after)];
  const inBoth = ({ id }: Stage): boolean =>
    [was, is].every((all) => all.some((one) => one.id === id));
  const [order, now] = [was.filter(inBoth), is.filter(inBoth)];
  const moved = now.find((stage, at) => {
    const old = order.find(({ id }) => id === stage.id)!;
    const [ended, ends] = [endOf(old, before, inBoth), endOf(stage, after, inBoth)];
    return order[at]!.id !== stage.id || ended !== ends;
  });
  if (moved === undefined) return;
  throw new ApiFailure(
    "bad-policy",
    `tier \`${moved.id}\` has enforced policies, and would be asked in another order or end otherwise, at once: nothing was changed`,
    {
      help: "a tier cannot be audited: apply it alone with `--mode enforce`, and what is to be audited after it",
    },
  );
}

/** Stages in which something decides. */
function enforcing({ stages }: PolicySet): readonly Stage[] {
  return stages.filter(({ blocks }) => blocks.some(({ enforce }) => enforce === "on"));
}

/** What becomes of whom nobody there decides about, and which stage that decides a pass leads to. */
function endOf(
  { mode, endIfApplied, onPass }: Stage,
  { stages }: PolicySet,
  decides: (stage: Stage) => boolean,
): string {
  const from = stages.findIndex(({ id }) => id === onPass);
  const next = from < 0 ? undefined : stages.slice(from).find(decides)?.id;
  return [mode, endIfApplied, next].join();
}
