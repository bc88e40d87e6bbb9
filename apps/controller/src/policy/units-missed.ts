/**
 * Units that a change would enforce although their sockets are judged as somebody else's (docs/decisions/0061): their policy would
 * look as if it were in force, and what goes over those sockets would never meet it. Such a change is refused, unless an
 * Inventory says that it is known.
 */
import { createDiagnostic, type Block, type Diagnostic, type WorkloadId } from "@bulkhead/model";
import { selects } from "../queries/workloads.ts";
import { borrowers, type Borrower } from "../world/borrowed.ts";
import type { World } from "../world/world.ts";
import type { InForce } from "./change.ts";
import type { Reading } from "./reading.ts";

export interface UnitsMissed {
  readonly refused: readonly Diagnostic[];
  /** What would be refused if it were enforced. */
  readonly notices: readonly string[];
}

/** What is enforced already stays: who came to borrow sockets since is told by `status`. */
export function unitsMissed(inForce: InForce, reading: Reading, world: World): UnitsMissed {
  const found = borrowers(world);
  if (found.length === 0) return { refused: [], notices: [] };
  const accepted = acceptedBorrowers(reading);
  const enforced = new Set(
    blocksOf(inForce.reading)
      .filter(({ enforce }) => enforce === "on")
      .map(({ id }) => id),
  );
  const refused: Diagnostic[] = [];
  const notices: string[] = [];
  for (const borrower of found) {
    const workload = world.index.workloads.get(borrower.workload);
    if (workload === undefined || accepted.has(workload.id)) continue;
    const blocks = blocksOf(reading).filter((block) => selects(block, workload, world));
    const fresh = blocks.find(({ id, enforce }) => enforce === "on" && !enforced.has(id));
    if (fresh !== undefined) refused.push(diagnosticOf(borrower, fresh, world));
    else if (blocks.some(({ enforce }) => enforce !== "on"))
      notices.push(
        `${borrower.workload} ${borrower.text}: enforcing its policy would be refused; ${helpFor(borrower, world)}`,
      );
  }
  return { refused, notices };
}

/** An Inventory says that their sockets are known. */
export function acceptedBorrowers({ declared }: Reading): ReadonlySet<WorkloadId> {
  return new Set(
    declared.workloads.flatMap(({ workload, binding }) =>
      binding?.borrowedSockets === "accepted" ? [workload.id] : [],
    ),
  );
}

function blocksOf({ set }: Reading): readonly Block[] {
  return set.stages.flatMap(({ blocks }) => blocks);
}

function diagnosticOf(borrower: Borrower, { source }: Block, world: World): Diagnostic {
  return createDiagnostic(
    "BH0605",
    source,
    `\`${borrower.workload}\` ${borrower.text}: the kernel judges them by their maker, and this policy would miss them`,
    helpFor(borrower, world),
  );
}

export function helpFor({ workload, sockets }: Borrower, world: World): string {
  const unit = world.units.get(workload)?.[0]?.unit ?? workload;
  const recreate =
    sockets.how === "activated"
      ? `have it open its own sockets (\`systemctl disable --now ${unit.replace(/(?:@[^.]*)?\.service$/, ".socket")}\`, then \`systemctl restart ${unit}\`)`
      : `start it anew in its own control group (\`systemctl restart ${unit}\`)`;
  return `${recreate}, or say in an Inventory that it is known: \`unit: ${unit}\` with \`borrowedSockets: accepted\``;
}
