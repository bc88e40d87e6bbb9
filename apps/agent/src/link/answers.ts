/** What the controller asks of this machine, answered: each question gets its answer, or why there is none. */
import type { AgentMessage, ControllerMessage } from "@bulkhead/wire";
import type { AgentParts, ProbeFinding, Surroundings } from "./agent-parts.ts";
import { LOOPBACK } from "./named-records.ts";
import type { ProbeMarks } from "./probe-marks.ts";

type Asked<Kind extends ControllerMessage["kind"]> = Extract<
  ControllerMessage,
  { readonly kind: Kind }
>;
type Answer<Kind extends AgentMessage["kind"]> = Extract<AgentMessage, { readonly kind: Kind }>;

export interface Answers {
  probe(asked: Asked<"probe">): Promise<Answer<"probed">>;
  render(asked: Asked<"render">): Answer<"rendered">;
  ruleCounters(asked: Asked<"rule-counters">): Promise<Answer<"rule-counters">>;
  connections(asked: Asked<"connections">): Answer<"connections">;
  units(asked: Asked<"units">): Answer<"units">;
  check(asked: Asked<"check">): Promise<Answer<"checked">>;
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** `surroundings`: as they were seen last. */
export const createAnswers = (
  parts: AgentParts,
  marks: ProbeMarks,
  surroundings: () => Surroundings,
): Answers => ({
  async probe({ kind: _kind, id, ...asked }) {
    let finding: ProbeFinding;
    try {
      const source =
        asked.sourceCgroup === undefined ? undefined : parts.sourceTowards(asked.destination);
      const order = { ...asked, source: source ?? asked.source };
      marks.begin(order);
      finding = await parts.probe(order);
    } catch (error) {
      finding = {
        sent: false,
        received: false,
        agree: false,
        outcome: "inconclusive",
        detail: "",
        error: reasonOf(error),
      };
    }
    return { kind: "probed", id, ...finding };
  },

  render({ id, policy }) {
    try {
      return { kind: "rendered", id, ruleset: parts.driver.render(policy) };
    } catch (error) {
      return { kind: "rendered", id, ruleset: "", error: reasonOf(error) };
    }
  },

  async ruleCounters({ id }) {
    try {
      const rules = await parts.ruleCounters();
      return { kind: "rule-counters", id, rules, counters: parts.counters() };
    } catch (error) {
      return { kind: "rule-counters", id, rules: [], counters: {}, error: reasonOf(error) };
    }
  },

  connections({ id }) {
    const { endpoints, hostAddresses, processes } = surroundings();
    const workloads = endpoints.flatMap((endpoint) => endpoint.addresses);
    // Who has a socket of the machine itself matters where its processes are told apart.
    const own = processes.length > 0 ? [...hostAddresses, ...LOOPBACK] : [];
    try {
      const found = parts.openConnections(new Set(workloads), new Set(own));
      return { kind: "connections", id, ...found };
    } catch (error) {
      return { kind: "connections", id, connections: [], leftOut: 0, error: reasonOf(error) };
    }
  },

  units({ id }) {
    try {
      return { kind: "units", id, units: parts.units.facts() };
    } catch (error) {
      return { kind: "units", id, units: [], error: reasonOf(error) };
    }
  },

  async check({ id, invariants, found }) {
    try {
      return { kind: "checked", id, checks: await parts.check({ invariants, found }) };
    } catch (error) {
      return { kind: "checked", id, checks: [], error: reasonOf(error) };
    }
  },
});
