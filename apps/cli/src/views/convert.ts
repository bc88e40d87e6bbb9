/** What `convert` tells on stderr: what the dialect cannot say and where, how things were read, and the proof. */
import type { Target } from "@bulkhead/dialects";
import { hasErrors, type Stage } from "@bulkhead/model";
import type { Conversion, Relation } from "@bulkhead/workbench/desk";
import type { Ui } from "../ui/ui.ts";
import { diagnosticsText } from "./diagnostics.ts";
import { counterexampleText } from "./prove.ts";

const PROVED: Readonly<Record<Relation, string>> = {
  same: "what is written permits the same",
  more: "what is written permits all that the files do, and more",
  less: "what is written permits nothing that the files do not, and less",
};

export function conversionText(
  conversion: Conversion,
  target: Target,
  dir: string,
  isReadingOurs: boolean,
  ui: Ui,
): string {
  const { desk, written, proof, relation } = conversion;
  const { style } = ui;
  const losses =
    written.diagnostics.length === 0
      ? ""
      : `${diagnosticsText(written.diagnostics, desk.files, ui)}\n`;
  if (hasErrors(written.diagnostics) || proof === undefined)
    return `${losses}${style.red("refused:")} ${target.title} cannot say all of it; nothing was written\n`;
  const told = notes(conversion, target, isReadingOurs).map(
    (note) => `${style.yellow("note:")} ${note}\n`,
  );
  const over = style.dim(`  over ${proof.over.join("; ")}`);
  switch (proof.answer) {
    case "yes":
      return `${losses}${told.join("")}${style.green("proved:")} ${PROVED[relation]}\n${over}\n`;
    case "undecided": {
      const shown = counterexampleText(proof, [dir, target.name], style);
      return `${losses}${told.join("")}${style.yellow("not proved:")} ${proof.because ?? ""}\n${shown}${over}\n`;
    }
    case "no": {
      const because = proof.because === undefined ? "" : `: ${proof.because}`;
      const shown = counterexampleText(proof, [dir, target.name], style);
      return `${losses}${style.red("refused:")} read again, it would not be ${relation === "same" ? "the same" : `only ${relation}`}${because}; nothing was written\n${shown}`;
    }
  }
}

/** One line of JSON each, as diagnostics of files are. */
export function conversionLines({ written, relation, proof, usesStandIns }: Conversion): string {
  const lines = [...written.diagnostics, { relation, usesStandIns, ...(proof && { proof }) }];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function notes(
  { desk, usesStandIns, ipBlockMatchesWorkloads, guards }: Conversion,
  { title }: Target,
  isReadingOurs: boolean,
): readonly string[] {
  const hasBlocks = isReadingOurs && desk.set.stages.some(hasIpBlock);
  return [
    ...(usesStandIns
      ? ["nobody is in the files: proved over pods that stand for those that the policies name"]
      : []),
    ...(hasBlocks
      ? [
          `ipBlocks are read as ${ipBlockMatchesWorkloads ? "holding" : "leaving out"} pods and nodes (\`--ip-block ${ipBlockMatchesWorkloads ? "world" : "any"}\` for the other reading)`,
        ]
      : []),
    ...(guards.source && !guards.target
      ? [
          `Bulkhead keeps metadata addresses (169.254.169.254) shut to the subjects of its own policies; ${title} does so only where a policy says it`,
        ]
      : []),
    ...(guards.target && !guards.source
      ? ["as policies of Bulkhead, they keep metadata addresses (169.254.169.254) shut besides"]
      : []),
  ];
}

/** Of a NetworkPolicy. */
const hasIpBlock = ({ blocks }: Stage): boolean =>
  blocks.some(
    ({ policy, rules }) =>
      policy.kind === "NetworkPolicy" &&
      rules.some(({ peers }) => peers.some(({ kind }) => kind === "cidr")),
  );
