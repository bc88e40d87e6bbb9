/**
 * One connected agent: what it told last, and questions to it that await their answer. A question dies with the
 * connection, never hangs beyond its time.
 */
import { randomUUID } from "node:crypto";
import { ApiFailure } from "@bulkhead/api";
import type { Invariant, InvariantCheck, Receipt } from "@bulkhead/model";
import type {
  AgentMessage,
  CollectorStats,
  ControllerMessage,
  UndecidedConnection,
} from "@bulkhead/wire";
import { createRefusedParts, type RefusedParts } from "./refused-parts.ts";

export type Hello = Extract<AgentMessage, { kind: "hello" }>;
export type Applied = Extract<AgentMessage, { kind: "applied" }>;
export type Rendered = Extract<AgentMessage, { kind: "rendered" }>;
export type Probed = Extract<AgentMessage, { kind: "probed" }>;
export type Units = Extract<AgentMessage, { kind: "units" }>;
export type Checked = Extract<AgentMessage, { kind: "checked" }>;
export type Kept = Extract<AgentMessage, { kind: "kept" }>;
export type RuleCounters = Extract<AgentMessage, { kind: "rule-counters" }>;
export type Connections = Extract<AgentMessage, { kind: "connections" }>;

interface Waiting {
  readonly resolve: (message: AgentMessage) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class AgentSession {
  readonly hello: Hello;
  readonly since: number;
  receipt: Receipt | undefined;
  receiptSigned = false;
  collector: CollectorStats | undefined;
  capacity = 0;
  counters: Readonly<Record<string, number>> = {};
  undecided: readonly UndecidedConnection[] = [];
  /** Of what it told, by place and reason. */
  readonly refused: RefusedParts = createRefusedParts();
  #connected = true;
  readonly #send: (message: ControllerMessage) => void;
  readonly #waiting = new Map<string, Waiting>();

  constructor(hello: Hello, since: number, send: (message: ControllerMessage) => void) {
    this.hello = hello;
    this.since = since;
    this.#send = send;
  }

  get connected(): boolean {
    return this.#connected;
  }

  send(message: ControllerMessage): void {
    if (!this.#connected) throw new ApiFailure("agent-away", "the agent hung up");
    this.#send(message);
  }

  render(
    policy: Extract<ControllerMessage, { kind: "render" }>["policy"],
    timeoutMs: number,
  ): Promise<Rendered> {
    return this.#ask((id) => ({ kind: "render", id, policy }), timeoutMs) as Promise<Rendered>;
  }

  probe(
    probe: Omit<Extract<ControllerMessage, { kind: "probe" }>, "kind" | "id">,
    timeoutMs: number,
  ): Promise<Probed> {
    return this.#ask((id) => ({ kind: "probe", id, ...probe }), timeoutMs) as Promise<Probed>;
  }

  /** Which connections of workloads are under way at this moment. */
  connections(timeoutMs: number): Promise<Connections> {
    return this.#ask((id) => ({ kind: "connections", id }), timeoutMs) as Promise<Connections>;
  }

  /** How often each rule was hit. */
  ruleCounters(timeoutMs: number): Promise<RuleCounters> {
    return this.#ask((id) => ({ kind: "rule-counters", id }), timeoutMs) as Promise<RuleCounters>;
  }

  /** What runs in each unit at this moment. */
  units(timeoutMs: number): Promise<Units> {
    return this.#ask((id) => ({ kind: "units", id }), timeoutMs) as Promise<Units>;
  }

  /** What the machine must be able to do, tried from there. Throws what kept it from looking. */
  async check(
    invariants: readonly Invariant[],
    found: boolean,
    timeoutMs: number,
  ): Promise<readonly InvariantCheck[]> {
    const answer = await this.#ask((id) => ({ kind: "check", id, invariants, found }), timeoutMs);
    const { checks, error } = answer as Checked;
    if (error !== undefined) throw new Error(error);
    return checks;
  }

  /** Sends a policy and waits for what the kernel holds afterwards. */
  async apply(
    policy: Extract<ControllerMessage, { kind: "policy" }>,
    timeoutMs: number,
  ): Promise<Applied> {
    return this.#wait(`policy ${policy.sequence}`, timeoutMs, () =>
      this.send(policy),
    ) as Promise<Applied>;
  }

  /** A policy on trial stays: for good, or for so much longer. Resolves once that is on the agent's disk. */
  async keep(sequence: number, holdMs: number | undefined, timeoutMs: number): Promise<void> {
    const hold = holdMs === undefined ? {} : { holdMs };
    await this.#wait(`keep ${sequence}`, timeoutMs, () =>
      this.send({ kind: "keep", sequence, ...hold }),
    );
  }

  /** Answers go to whoever asked; false when nobody did. */
  settle(
    message: Applied | Rendered | Probed | Connections | Checked | Kept | Units | RuleCounters,
  ): boolean {
    const key = keyOf(message);
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return false;
    this.#waiting.delete(key);
    clearTimeout(waiting.timer);
    waiting.resolve(message);
    return true;
  }

  disconnected(): void {
    this.#connected = false;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(new ApiFailure("agent-away", "the agent hung up before it answered"));
    }
    this.#waiting.clear();
  }

  #ask(message: (id: string) => ControllerMessage, timeoutMs: number): Promise<AgentMessage> {
    const id = randomUUID();
    return this.#wait(id, timeoutMs, () => this.send(message(id)));
  }

  #wait(key: string, timeoutMs: number, send: () => void): Promise<AgentMessage> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(key);
        reject(
          new ApiFailure("agent-away", `the agent did not answer within ${timeoutMs / 1000} s`),
        );
      }, timeoutMs);
      this.#waiting.set(key, { resolve, reject, timer });
      try {
        send();
      } catch (error) {
        this.#waiting.delete(key);
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}

function keyOf(
  message: Applied | Rendered | Probed | Connections | Checked | Kept | Units | RuleCounters,
): string {
  if (message.kind === "applied") return `policy ${message.sequence}`;
  return message.kind === "kept" ? `keep ${message.sequence}` : message.id;
}
