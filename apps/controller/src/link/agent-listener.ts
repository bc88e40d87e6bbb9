/** What the controller makes of everything an agent says: each kind of message goes to the part that it concerns. */
import type { Logger } from "pino";
import type { DriftReport, Receipt } from "@bulkhead/model";
import type { StateStore } from "@bulkhead/store";
import {
  receiptSigningText,
  type AgentMessage,
  type AgentSettings,
  type ExpectedHere,
} from "@bulkhead/wire";
import type { Alarms } from "../alarms.ts";
import type { FlowIntake } from "../flows/flow-intake.ts";
import { verifySignature } from "../signing-key.ts";
import type { Surroundings } from "../world/world.ts";
import type { AgentSession } from "./agent-session.ts";
import type { LinkListener } from "./link-server.ts";

export interface AgentListenerDeps {
  readonly log: Logger;
  readonly alarms: Alarms;
  readonly state: StateStore;
  readonly intake: () => FlowIntake;
  readonly publicKey: Uint8Array;
  readonly settings: () => AgentSettings;
  readonly matches: (receipt: Receipt) => boolean;
  readonly onDrift: (host: string, report: DriftReport) => void;
  /** The kernel was read, and holds what is wanted. */
  readonly onHeld: (host: string, readAt: number) => void;
  /** A policy was on trial there and nobody kept it in time. */
  readonly onWentBack: (told: Extract<AgentMessage, { kind: "went-back" }>) => void;
  readonly onExpected: (host: string, found: ExpectedHere) => void;
  /** `first`: nothing is known yet of what this agent holds. */
  readonly onDiscovered: (found: Surroundings, first: boolean) => void;
}

export interface AgentListener extends LinkListener {
  /** Keeps a receipt as the session's latest, with whether its signature holds. */
  takeReceipt(session: AgentSession, receipt: Receipt): void;
}

export function createAgentListener(deps: AgentListenerDeps): AgentListener {
  const { log, alarms, state } = deps;
  const told = new WeakSet<AgentSession>();
  /** The key each host showed first, in this run or an earlier one. */
  const pinned = new Map<string, Promise<string>>();

  function background(work: Promise<unknown>): void {
    work.catch((error: unknown) => log.error({ err: error }, "something in the background failed"));
  }

  async function pin(host: string, shown: string): Promise<string> {
    const known = await state.setting(`host-key ${host}`);
    if (known === null) await state.saveSetting(`host-key ${host}`, shown);
    return known ?? shown;
  }

  async function checkKey({ hello: { host, publicKey } }: AgentSession): Promise<void> {
    const shown = Buffer.from(publicKey).toString("base64");
    const first = pinned.get(host) ?? pin(host, shown);
    pinned.set(host, first);
    if ((await first) !== shown) {
      alarms.raise("receipt", `${host} signs its receipts with another key than it first did`);
    }
  }

  function takeReceipt(session: AgentSession, receipt: Receipt): void {
    session.receipt = receipt;
    const { signature, ...unsigned } = receipt;
    session.receiptSigned = verifySignature(
      session.hello.publicKey,
      receiptSigningText(unsigned),
      new Uint8Array(Buffer.from(signature, "base64")),
    );
    if (!session.receiptSigned) {
      alarms.raise("receipt", `a receipt of ${session.hello.host} bears a false signature`);
    }
  }

  function message(session: AgentSession, said: AgentMessage): void {
    const { host, boot } = session.hello;
    switch (said.kind) {
      case "hello":
      case "unreadable":
        break;
      case "discovered": {
        const { kind: _kind, ...found } = said;
        const first = !told.has(session);
        told.add(session);
        deps.onDiscovered(found, first);
        break;
      }
      case "expected": {
        const { kind: _kind, ...found } = said;
        deps.onExpected(host, found);
        break;
      }
      case "flows":
        session.collector = said.collector;
        deps.intake().take({ boot, host }, said.sequence, said.records, (stored) => {
          if (session.connected) session.send({ kind: "flows-stored", sequence: stored });
        });
        break;
      case "applied":
      case "rendered":
      case "probed":
      case "connections":
      case "rule-counters":
      case "units":
      case "checked":
      case "kept":
        if (!session.settle(said))
          log.debug({ kind: said.kind }, "an answer that nobody waits for");
        break;
      case "went-back":
        log.warn({ ...said }, "the agent went back by itself");
        deps.onWentBack(said);
        break;
      case "drift": {
        const { kind: _kind, ...report } = said;
        const what = report.differences[0] ?? "the kernel holds something else";
        alarms.raise("drift", `drift on ${host}: ${what}${report.repaired ? ", repaired" : ""}`);
        background(state.saveDrift({ host, ...report }));
        deps.onDrift(host, report);
        break;
      }
      case "health":
        session.collector = said.collector;
        session.capacity = said.capacity;
        session.counters = said.counters;
        session.undecided = said.undecided;
        if (said.receipt !== undefined && said.receipt.readAt !== session.receipt?.readAt) {
          takeReceipt(session, said.receipt);
          const matches = deps.matches(said.receipt);
          background(state.saveReceipt({ host, ...said.receipt, matches }));
          if (matches && session.receiptSigned) deps.onHeld(host, said.receipt.readAt);
        }
        break;
    }
  }

  return {
    takeReceipt,
    message,
    welcome(session) {
      const { host, pid } = session.hello;
      log.info({ host, pid }, "an agent connected");
      background(checkKey(session));
      if (session.receipt !== undefined) takeReceipt(session, session.receipt);
      session.send({ kind: "welcome", publicKey: deps.publicKey, ...deps.settings() });
    },
    gone(session) {
      log.warn(
        { host: session.hello.host },
        "the agent is gone; the kernel goes on with what it holds",
      );
    },
  };
}
