/** What could not be read of an export of flows, or could not be learned from: told on stderr. */
import type { Offline } from "../suggest/offline.ts";
import type { Ui } from "../ui/ui.ts";
import { count, thousands } from "../ui/words.ts";

/** Flows were read, and not one tells of a workload: most formats know addresses alone. */
export function isOfNobody({ edges, inventory }: Offline["imported"]): boolean {
  return edges.length > 0 && inventory.workloads.length === 0;
}

export function importRemarks(
  { imported, blurred }: Pick<Offline, "imported" | "blurred">,
  { style }: Ui,
): readonly string[] {
  const { malformed, lost, outside, beyond, others } = imported;
  const remarks: string[] = [];
  if (isOfNobody(imported)) {
    const read = `${count(imported.flows, "flow")} read, in ${count(imported.edges.length, "edge")}`;
    remarks.push(
      style.yellow(
        `${read}; none of their addresses is a known workload: \`flows import\` them where the inventory is known, or give flows that name their ends.`,
      ),
    );
  }
  if (malformed.count > 0) {
    const lines = malformed.quoted.map(
      // Of the file as a whole there is no line.
      ({ place, problem, quote }) =>
        `  ${place === 0 ? "" : `line ${place}: `}${problem}: ${style.dim(quote)}`,
    );
    const rest = malformed.count - malformed.quoted.length;
    const more = rest > 0 ? [`  and ${thousands(rest)} more`] : [];
    const head = style.yellow(`${count(malformed.count, "line")} could not be read:`);
    remarks.push([head, ...lines, ...more].join("\n"));
  }
  const told = Object.entries(others).map(([what, times]) => `${what} (${thousands(times)})`);
  if (told.length > 0) remarks.push(`Not learned from: ${told.join(", ")}.`);
  if (outside > 0) {
    remarks.push(`Outside the time that was asked for: ${thousands(outside)}.`);
  }
  if (lost > 0) {
    remarks.push(
      style.yellow(
        `The exporter had lost ${count(lost, "event")}: what it did not tell is missing here too.`,
      ),
    );
  }
  if (beyond > 0) {
    remarks.push(
      style.yellow(
        `${count(beyond, "flow")} did not fit: more like connections than are held at once. Narrow the time with --since and --until.`,
      ),
    );
  }
  if (blurred > 0) {
    remarks.push(
      style.yellow(
        `${count(blurred, "edge")} lie partly in a window that is excluded and count whole, being summed up already: export single flows to cut them.`,
      ),
    );
  }
  return remarks;
}
