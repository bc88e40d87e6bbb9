/** What this driver does not hold: such a policy is refused whole, before anything is touched. */
import { hasProcesses, judgesProcesses } from "@bulkhead/datapath";
import type { HostPolicy, MapSet, RowDecision } from "@bulkhead/model";
import { DriverError } from "../driver-error.ts";

const decisionsOf = ({ rows, live, shadow, canary }: HostPolicy): readonly RowDecision[] => [
  ...rows.flatMap(({ others, protocols }) => [
    others,
    ...protocols.flatMap(({ intervals }) => intervals.map(({ decision }) => decision)),
  ]),
  ...[live, shadow, canary?.maps].flatMap(
    (set: MapSet | undefined) => set?.overlay.map(({ decision }) => decision) ?? [],
  ),
];

export const requireHeld = (policy: HostPolicy): void => {
  if (hasProcesses(policy) || judgesProcesses(policy))
    throw new DriverError(
      "unsupported",
      "the eBPF driver judges addresses; it does not hold policies for processes of the machine yet",
    );
  if (decisionsOf(policy).some(({ verdict }) => verdict === "reject"))
    throw new DriverError(
      "unsupported",
      "the eBPF driver drops what is denied; it does not answer with a refusal (reject) yet",
    );
};
