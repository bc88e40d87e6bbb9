/** What `prove` prints: yes and over whom, or the packets that contradict it with the rules that they pass. */
import type { Proof, ProvedHop } from "@bulkhead/workbench/desk";
import type { Style } from "../ui/style.ts";
import type { Ui } from "../ui/ui.ts";
import { determinedLine, obligationText } from "./decide.ts";

export interface ProofAnswer extends Proof {
  readonly that: string;
}

export function proofsText(proofs: readonly ProofAnswer[], dir: string, ui: Ui): string {
  return proofs.map((proof) => proofText(proof, dir, ui)).join("\n");
}

function proofText(proof: ProofAnswer, dir: string, { style }: Ui): string {
  const answers = {
    yes: style.green("yes"),
    no: style.red("no "),
    undecided: style.yellow("undecided"),
  };
  const head = `${answers[proof.answer]}  ${style.bold(proof.that)}\n`;
  const because = proof.because === undefined ? "" : `  ${style.yellow(proof.because)}\n`;
  return `${head}${because}${counterexampleText(proof, dir, style)}  ${style.dim(`over ${proof.over.join("; ")}`)}\n`;
}

function counterexampleText({ counterexample }: ProofAnswer, dir: string, style: Style): string {
  if (counterexample === undefined) return "";
  const { path, permittedBy } = counterexample;
  const folder = permittedBy === "this" ? dir : "the other folder";
  const who = permittedBy === undefined ? "" : `  permitted by ${folder} only:\n`;
  return `${who}${path.map((hop) => hopText(hop, style)).join("")}`;
}

function hopText(hop: ProvedHop, style: Style): string {
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
    ...hop.determinedBy.map((one) => `  ${determinedLine(one, true, style)}`),
    ...(hop.obligations ?? []).map((one) => `    ${style.yellow(obligationText(one))}`),
    ...(hop.deniedBy ?? []).map((one) => `  ${determinedLine(one, false, style)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function requestText(request: NonNullable<ProvedHop["packet"]["request"]>): string {
  if (request.kind === "opaque") return "carrying nothing that can be looked into";
  const attributes = Object.entries(request.attributes).map(([name, value]) => `${name} ${value}`);
  return `${request.kind}: ${attributes.join(", ")}`;
}
