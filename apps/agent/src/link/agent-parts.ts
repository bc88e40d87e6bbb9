/** What the agent is made of. Everything that touches the kernel is handed in, so that it can be run with other parts. */
import type { BridgePort, FlowRecord, InvariantCheck, IpAddress } from "@bulkhead/model";
import type {
  AgentMessage,
  CollectorStats,
  ConfigurationSource,
  ControllerMessage,
  DiscoveredEndpoint,
  Exemptions,
  ExpectedHere,
  HostSession,
  Listener,
  OpenConnections,
  RuleCounter,
  UnitFacts,
  UndecidedConnection,
} from "@bulkhead/wire";
import type { Units } from "../discovery/index.ts";
import type { DnsAnswer } from "../dns/index.ts";
import type { Driver } from "../drivers/index.ts";
import type { CheckOrder } from "../invariants/index.ts";
import type { ProcessFinder } from "../processes/index.ts";
import type { KeptDriver } from "../state/policy-keeper.ts";

export type ProbeOrder = Omit<Extract<ControllerMessage, { kind: "probe" }>, "kind" | "id">;
export type ProbeFinding = Omit<Extract<AgentMessage, { kind: "probed" }>, "kind" | "id">;

/** What is attached to this machine's network, and how the machine stands in it. */
export interface Attached {
  readonly endpoints: readonly DiscoveredEndpoint[];
  readonly ports: readonly BridgePort[];
  readonly hostAddresses: readonly IpAddress[];
  readonly sessions: readonly HostSession[];
  readonly hostListeners: readonly Listener[];
  readonly relays: readonly string[];
  readonly unread: readonly BridgePort[];
}

/** With the processes of the machine itself. */
export type Surroundings = Attached & Units;

export interface AgentParts {
  readonly driver: KeptDriver & Pick<Driver, "limit" | "render">;
  readonly generation: () => number;
  /** What the driver lets pass without judging it. */
  readonly exemptions: Exemptions;
  /** Packets that no rule decided or no log message tells of, as counted lately. */
  counters(): Readonly<Record<string, number>>;
  /** Connections that are allowed for a while, because nobody can tell who opened them. */
  undecided(): readonly UndecidedConnection[];
  /** Everything attached now. */
  look(): Promise<Attached>;
  /** Calls back when a look would find something else; the result ends the watch. */
  watch(changed: () => void): () => void;
  /** Processes of this machine: a cheap look, and a call when it would find others. */
  readonly units: {
    look(): Units;
    facts(): readonly UnitFacts[];
    watch(changed: () => void): () => void;
  };
  /** What is known to be coming here although nobody saw it. */
  readonly expectations: {
    latest(): ExpectedHere;
    allow(sources: readonly ConfigurationSource[]): void;
    watch(changed: () => void): () => void;
  };
  /** Connections that began before `toldUntil` (milliseconds since the epoch) are known to the controller. */
  startCollector(
    onFlows: (records: readonly FlowRecord[]) => void,
    toldUntil: number,
    onAnswers: (answers: readonly DnsAnswer[]) => void,
  ): {
    stats(): CollectorStats;
    setEndpoints(endpoints: readonly (readonly IpAddress[])[]): void;
    stop(): Promise<void>;
  };
  probe(order: ProbeOrder): Promise<ProbeFinding>;
  /** Which address this machine speaks from to another; undefined where it has no way. */
  sourceTowards(destination: IpAddress): IpAddress | undefined;
  /** What the machine must be able to do, tried from the machine itself. */
  check(order: CheckOrder): Promise<readonly InvariantCheck[]>;
  /** Who holds the sockets at the ends of flows. */
  readonly processes: ProcessFinder;
  /** How often each rule was hit. */
  ruleCounters(): Promise<readonly RuleCounter[]>;
  /** Connections under way with one of these addresses at an end; of the machine's `own` also whose socket is there. */
  openConnections(
    addresses: ReadonlySet<IpAddress>,
    own: ReadonlySet<IpAddress>,
  ): {
    readonly connections: readonly OpenConnections[];
    readonly leftOut: number;
  };
}
