/** What `prove` prints: yes and over whom, or the packets that contradict it with the rules that they pass. */
import type { Proof, ProvedHop } from "@bulkhead/workbench/desk";
import type { Style } from "../ui/style.ts";
import type { Ui } from "../ui/ui.ts";
import { determinedLine, obligationText } from "./decide.ts";

export interface ProofAnswer extends Proof {
  readonly that: string;
}

/** `folders`: those that a statement compares with, in its place. */
export function proofsText(
  proofs: readonly ProofAnswer[],
  dir: string,
  folders: readonly (string | undefined)[],
  ui: Ui,
): string {
  return proofs
    .map((proof, at) => proofText(proof, [dir, folders[at] ?? "the other folder"], ui))
    .join("\n");
}

type Folders = readonly [string, string];

function proofText(proof: ProofAnswer, folders: Folders, { style }: Ui): string {
  const answers = {
    yes: style.green("yes"),
    no: style.red("no "),
    undecided: style.yellow("undecided"),
  };
  const head = `${answers[proof.answer]}  ${style.bold(proof.that)}\n`;
  const because = proof.because === undefined ? "" : `  ${style.yellow(proof.because)}\n`;
  return `${head}${because}${counterexampleText(proof, folders, style)}  ${style.dim(`over ${proof.over.join("; ")}`)}\n`;
}

export function counterexampleText(
  { counterexample }: Proof,
  folders: Folders,
  style: Style,
): string {
  if (counterexample === undefined) return "";
  const { path, permittedBy } = counterexample;
  if (permittedBy === undefined) {
    return path.map((hop) => hopText(hop, ["  ", "  "], style)).join("");
  }
  const [here, there] = permittedBy === "this" ? folders : folders.toReversed();
  const width = Math.max(...folders.map((name) => name.length)) + 1;
  const [permits, denies] = [here!, there!].map((name) => `  ${`${name}:`.padEnd(width)}`);
  const hops = path.map((hop) => hopText(hop, [permits!, denies!], style));
  return `  permitted by ${here} only:\n${hops.join("")}`;
}

/** `sides`: what stands before a line about the folder that permits it, and about the one that denies it. */
function hopText(hop: ProvedHop, sides: readonly [string, string], style: Style): string {
  const { from, to, ports, packet } = hop;
  const told = [
    ...(packet.request === undefined ? [] : [requestText(packet.request)]),
    ...(packet.names === undefined ? [] : [`called ${packet.names.join(", ")}`]),
    ...(ports === packet.port ? [] : [`of ${ports}`]),
  ];
  const more = told.length === 0 ? "" : style.dim(`  (${told.join("; ")})`);
  const addresses =
    packet.source === from && packet.destination === to
      ? ""
      : style.dim(`  ${packet.source} → ${packet.destination}`);
  const lines = [
    `  ${from} → ${to} ${packet.port}${addresses}${more}`,
    ...hop.determinedBy.map((one) => `${sides[0]}${determinedLine(one, true, style)}`),
    ...(hop.obligations ?? []).map((one) => `    ${style.yellow(obligationText(one))}`),
    ...(hop.deniedBy ?? []).map((one) => `${sides[1]}${determinedLine(one, false, style)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function requestText(request: NonNullable<ProvedHop["packet"]["request"]>): string {
  if (request.kind === "opaque") return "carrying nothing that can be looked into";
  const attributes = Object.entries(request.attributes).map(([name, value]) => `${name} ${value}`);
  return `${request.kind}: ${attributes.join(", ")}`;
}
