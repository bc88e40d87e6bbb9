/**
 * Azure's flow logs: of network security groups (versions 1 and 2) and of virtual networks (version 4), as the storage account
 * has them: one JSON object of records, each with tuples as texts. Every connection is told of when it begins.
 * https://learn.microsoft.com/azure/network-watcher/nsg-flow-logs-overview and vnet-flow-logs-overview
 */
import { ICMP, ICMPV6, type FlowEnd, type FlowOrigin } from "@bulkhead/model";
import type { FlowFormatReader, FlowSink } from "../flow-format.ts";
import { createEnds, type Ends } from "../shared/ends.ts";
import { headObjects, readJsonObjects } from "../shared/json-reader.ts";
import {
  ANSWERED,
  KnownConnections,
  wordOfPorts,
  wordOfText,
} from "../shared/known-connections.ts";
import { protocolOf } from "../shared/protocols.ts";
import {
  digitsOrZero,
  fieldsOf,
  isPlain,
  isTime,
  listOf,
  textOf,
  textsOf,
  type Fields,
} from "../shared/values.ts";

const ORIGIN: FlowOrigin = { format: "azure-nsg", sampling: 1, aggregation: 0, direction: "told" };

/** The records of an hour are too long for a file's beginning: what they begin with tells. */
const BEGINNING =
  /^\s*\{\s*"records"\s*:\s*\[\s*\{.*("flowLogVersion"|"NetworkSecurityGroupFlowEvent"|"flowTuples")/s;

export const azure: FlowFormatReader = {
  name: "azure-nsg",
  title: "Azure flow logs, of network security groups (1, 2) and virtual networks, JSON",
  recognises: (head) =>
    BEGINNING.test(new TextDecoder().decode(head)) ||
    headObjects(head).some((record) => flowsOf(record) !== undefined),
  open: (sink) => {
    const around: Around = { sink, ends: createEnds(), known: new KnownConnections() };
    return readJsonObjects(sink, {
      origin: ORIGIN,
      object(whole, malformed) {
        // Blobs that were put together have lists of records in lists of records.
        const records = "records" in whole ? listOf(whole["records"]).map(fieldsOf) : [whole];
        for (const record of records) {
          const flows = record === undefined ? undefined : flowsOf(record);
          if (flows === undefined) sink.other("a record of another log");
          const mac = textOf(record?.["macAddress"]);
          const node = mac !== undefined && mac.length < 64 && isPlain(mac) ? mac : undefined;
          for (const tuple of flows ?? []) {
            const problem = readTuple(tuple, node, around);
            if (problem !== undefined) malformed(problem, tuple);
          }
        }
      },
    });
  },
};

/** The tuples of a record, wherever it has them. */
function flowsOf(record: Fields): readonly string[] | undefined {
  const properties = fieldsOf(record["properties"]);
  const ofGroups = properties === undefined ? undefined : properties["flows"];
  const ofNetworks = fieldsOf(record["flowRecords"])?.["flows"];
  if (!Array.isArray(ofGroups) && !Array.isArray(ofNetworks)) return undefined;
  return [...listOf(ofGroups), ...listOf(ofNetworks)].flatMap((one) => {
    const fields = fieldsOf(one);
    const inner = [...listOf(fields?.["flows"]), ...listOf(fields?.["flowGroups"])];
    return inner.flatMap((group) => textsOf(fieldsOf(group)?.["flowTuples"]));
  });
}

interface Around {
  readonly sink: FlowSink;
  readonly ends: Ends;
  readonly known: KnownConnections;
}

interface Tuple {
  readonly time: number;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly sourcePort: number;
  readonly port: number;
  readonly protocol: number;
  readonly isDenied: boolean;
  /** B, C, E: begun, goes on, ended. Version 1 tells beginnings alone. */
  readonly state: string;
  readonly there: number;
  readonly back: number;
  readonly bytes: number;
}

function readTuple(
  text: string,
  node: string | undefined,
  { sink, ends, known }: Around,
): string | undefined {
  const tuple = tupleOf(text.split(","), ends);
  if (typeof tuple === "string") return tuple;
  const { protocol, source, destination, sourcePort, port, isDenied, state } = tuple;
  if (protocol === ICMP || protocol === ICMPV6) return void sink.other("ICMP without its type");
  let [connections, established, failed] = [1, 0, isDenied ? 1 : 0];
  if (!isDenied) {
    const before = known.meet(
      wordOfText(source.address),
      wordOfText(destination.address),
      wordOfPorts(protocol, port, sourcePort),
    );
    // What goes on began before the log did, or was told of when it began.
    const isNew = state === "B" ? tuple.time !== known.last : !before;
    if (state === "B" || !before) {
      known.last = tuple.time;
      known.state = 0;
    }
    connections = isNew ? 1 : 0;
    if (tuple.back > 0 && (known.state & ANSWERED) === 0) {
      established = 1;
      known.state |= ANSWERED;
    } else if (state === "E" && tuple.there > 0 && (known.state & ANSWERED) === 0) {
      failed = 1;
    }
  }
  sink.flow({
    start: tuple.time,
    end: tuple.time,
    source,
    destination,
    protocol,
    port,
    sourcePort,
    verdict: isDenied ? "dropped" : "forwarded",
    connections,
    established,
    failed,
    bytes: tuple.bytes,
    packets: tuple.there + tuple.back,
    origin: ORIGIN,
    ...(node === undefined ? {} : { node }),
  });
  return undefined;
}

function tupleOf(parts: readonly string[], ends: Ends): Tuple | string {
  const [stamp, from, to, sourcePort, port, protocolName, direction, seventh, eighth] = parts;
  if (parts.length < 8 || (direction !== "I" && direction !== "O")) return "not a flow tuple";
  // Groups tell seconds, networks milliseconds.
  const time = digitsOrZero(stamp) < 1e11 ? digitsOrZero(stamp) * 1000 : digitsOrZero(stamp);
  if (time === 0 || !isTime(time)) return "no time";
  const source = ends.at(from ?? "");
  const destination = ends.at(to ?? "");
  if (source === undefined || destination === undefined) return "no addresses";
  const isOfGroup = protocolName === "T" || protocolName === "U";
  const protocol = isOfGroup
    ? protocolOf(protocolName === "T" ? "tcp" : "udp")
    : protocolOf(protocolName);
  if (protocol === undefined) return "no protocol";
  const ports = [digitsOrZero(sourcePort), digitsOrZero(port)] as const;
  if (Math.max(...ports) > 65535) return "no ports";
  const [there, bytesThere, back, bytesBack] = parts.slice(9, 13).map(digitsOrZero);
  const isDenied = seventh === "D";
  const state = isOfGroup ? (eighth ?? "B") : (seventh ?? "");
  return {
    time,
    source,
    destination,
    sourcePort: ports[0],
    port: ports[1],
    protocol,
    isDenied,
    state: state === "" ? "B" : state,
    there: there ?? 0,
    back: back ?? 0,
    bytes: (bytesThere ?? 0) + (bytesBack ?? 0),
  };
}
