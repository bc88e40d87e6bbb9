/** Steps 4 and 5: the least policy that covers what was seen, then the same policy against all recorded history. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WORKLOADS, ipv4Of, ipv6Of } from "@bulkhead/example-shop/topology";
import type { Demo } from "../demo.ts";
import { keyOf, touchesIntruder } from "../names.ts";
import { withoutDeny } from "../sabotage.ts";
import { truePairs } from "../truth.ts";
import type { Recording } from "./observe.ts";

const MOST_RULES = 15;

/** Writes the suggested files into the lab's directory; gives their paths. */
export async function suggest(demo: Demo, recording: Recording): Promise<readonly string[]> {
  const { lab, bulkhead, screen, claims, sabotage, figures } = demo;
  screen.heading("bulkhead suggest");
  screen.progress("grouping workloads, writing the least policy");
  const answer = await bulkhead.suggest(recording.since);
  const paths = answer.files.map((file, index) => {
    const path = join(lab.directory, `suggested-${index + 1}.yaml`);
    writeFileSync(path, sabotage === "missing-deny" ? withoutDeny(file.text) : file.text);
    return path;
  });
  const text = paths.map((path) => readFileSync(path, "utf8")).join("\n");
  const said = withoutComments(text);
  const instances = instanceNames(said);
  const intruder = answer.rules.filter((rule) =>
    `${rule.resource} ${rule.rule}`.includes("intruder"),
  );
  screen.figure("from edges", answer.edges);
  screen.figure("rules suggested", answer.rules.length);
  for (const rule of answer.rules) {
    const name = rule.resource.replace(/^.*\//, "");
    screen.note(`${name.padEnd(40)} ${rule.ports.padEnd(18)} ${rule.connections} connections seen`);
  }
  const reasons = new Map<string, number>();
  for (const { reason } of answer.setAside) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  screen.figure("edges set aside, each with its reason", answer.setAside.length);
  for (const [reason, count] of reasons) screen.note(`${reason.padEnd(40)} ${count}`);
  screen.figure("written to", paths.join(", "));
  claims.atMost("rules", "few rules are suggested", answer.rules.length, MOST_RULES);
  claims.exactly(
    "instances",
    "suggestions name no instance and no address of one",
    instances.length,
    0,
  );
  claims.exactly("intruder-rule", "no suggestion is made for the intruder", intruder.length, 0);
  for (const instance of instances) screen.fault(`names an instance: ${instance}`);
  figures["suggest"] = { rules: answer.rules, setAside: Object.fromEntries(reasons), instances };
  return paths;
}

function withoutComments(yaml: string): string {
  return yaml
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, ""))
    .join("\n");
}

/** Names and addresses that only one of several like instances has, and addresses of any workload. */
function instanceNames(text: string): readonly string[] {
  const replicas = WORKLOADS.filter((one) => one.labels["app"] !== one.name).map((one) => one.name);
  const addresses = WORKLOADS.flatMap((one) => [ipv4Of(one), ipv6Of(one)]);
  const words = new Set(text.split(/[^\w.:-]+/));
  return [...replicas, ...addresses].filter((name) => words.has(name));
}

export async function replay(
  demo: Demo,
  files: readonly string[],
  recording: Recording,
): Promise<void> {
  const { bulkhead, screen, claims, truth, figures } = demo;
  screen.heading("bulkhead replay, bulkhead plan");
  screen.progress("deciding every recorded edge again");
  const answer = await bulkhead.replay(files, recording.since);
  const pairs = truePairs(truth);
  const denied = answer.newlyDenied.map((change) => change.edge);
  const needed = denied.filter((edge) => pairs.has(keyOf(edge)));
  const intruders = denied.filter(touchesIntruder);
  screen.figure(
    "recorded edges decided again",
    `${answer.edges} (${answer.connections} connections)`,
  );
  screen.figure("newly denied", `${denied.length}, of these the intruder's ${intruders.length}`);
  screen.figure("newly denied that the shop needs", needed.length);
  screen.figure("newly allowed", answer.newlyAllowed.length);
  for (const edge of needed) screen.fault(`would be cut: ${keyOf(edge)}`);
  claims.exactly("replay-needed", "replay: nothing the shop needs would be cut", needed.length, 0);
  claims.add({
    id: "replay-denied",
    claim: "replay: what would be cut is the intruder's",
    measured: `${intruders.length} of ${denied.length}`,
    bound: "all, and some",
    holds: denied.length > 0 && intruders.length === denied.length,
  });
  const plan = await bulkhead.plan(files);
  screen.figure("plan: resources added, changed, removed", counts(plan.resources));
  screen.figure("plan: capacity", `${plan.capacity.entries} of ${plan.capacity.limit} entries`);
  claims.add({
    id: "capacity",
    claim: "the planned set fits the kernel's tables",
    measured: `${plan.capacity.entries} entries`,
    bound: `≤ ${plan.capacity.limit}`,
    holds: plan.capacity.fits,
  });
  figures["replay"] = {
    edges: answer.edges,
    newlyDenied: denied.map(keyOf),
    newlyAllowed: answer.newlyAllowed.length,
    capacity: plan.capacity,
  };
}

function counts(changes: {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}): string {
  return `${changes.added.length}, ${changes.changed.length}, ${changes.removed.length}`;
}
