/**
 * Hubble's flow export: JSON Lines of `hubble observe -o jsonpb` or of the exporter. It tells of packets, at several places:
 * those of one connection become one flow. DNS answers in it name the ends of what their client did.
 */
import type { FlowEnd, FlowOrigin } from "@bulkhead/model";
import type { FlowFormatReader, FlowSink } from "../flow-format.ts";
import { createPacketFlows } from "../shared/packet-flows.ts";
import { headLines, readTextLines } from "../shared/text-lines.ts";
import { fieldsOf, parseFields } from "../shared/values.ts";
import { readHubbleLine } from "./record.ts";

const ORIGIN: FlowOrigin = { format: "hubble", sampling: 1, aggregation: 0, direction: "told" };

/** Pairs of a client and an address that answers had names for. */
const MOST_ANSWERS = 100_000;
const EVENTS = ["lost_events", "node_status", "agent_event", "debug_event"] as const;

export const hubble: FlowFormatReader = {
  name: "hubble",
  title: "Hubble's flows, JSON Lines of `hubble observe -o jsonpb` or of the exporter",
  recognises: (head) =>
    headLines(head).some((line) => {
      const outer = parseFields(line);
      if (typeof outer === "string") return false;
      const flow = fieldsOf(outer["flow"]) ?? outer;
      const isFlow = fieldsOf(flow["IP"]) !== undefined && "verdict" in flow;
      return isFlow || EVENTS.some((event) => Object.hasOwn(outer, event));
    }),
  open: (sink) => {
    const { answered, namesOf } = createAnswers();
    const packets = createPacketFlows(sink, { origin: ORIGIN, namesOf });
    return readTextLines(sink, {
      origin: ORIGIN,
      line: (text, malformed) => {
        take(sink, readHubbleLine(text), { packets, answered, malformed });
      },
      end: () => packets.end(),
    });
  },
};

interface Takers {
  readonly packets: ReturnType<typeof createPacketFlows>;
  readonly answered: ReturnType<typeof createAnswers>["answered"];
  readonly malformed: (problem: string) => void;
}

function take(
  sink: FlowSink,
  record: ReturnType<typeof readHubbleLine>,
  { packets, answered, malformed }: Takers,
): void {
  switch (record.kind) {
    case "packet":
      // Hubble counts no bytes.
      return packets.take(record.packet, 0);
    case "answer":
      for (const address of record.addresses) answered(`${record.client} ${address}`, record.name);
      return;
    case "lost":
      return sink.lost(record.events);
    case "other":
      return sink.other(record.what);
    case "malformed":
      return malformed(record.problem);
  }
}

function createAnswers() {
  const names = new Map<string, Set<string>>();
  return {
    answered(key: string, name: string): void {
      const known = names.get(key);
      if (known !== undefined) {
        known.add(name);
        return;
      }
      if (names.size >= MOST_ANSWERS) names.delete(names.keys().next().value ?? key);
      names.set(key, new Set([name]));
    },
    namesOf: (source: FlowEnd, destination: FlowEnd): Iterable<string> =>
      names.get(`${source.address} ${destination.address}`) ?? [],
  };
}
