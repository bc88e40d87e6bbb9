/**
 * The difference between what the kernel holds and what it should, written: look-ups aside first, then the switch to them in one
 * transaction, then what nobody needs any more. What fails on the way leaves what was there before.
 */
import { formatMarker, knownPorts, planUpdate, withComment } from "@bulkhead/datapath";
import type { Before, Links, Ruleset } from "@bulkhead/datapath";
import type { HostPolicy } from "@bulkhead/model";
import { fromNft } from "./nft-error.ts";
import { gracePeriod } from "../grace.ts";
import type { HostCommands } from "../host-commands.ts";
import { putBack, readSettings, turnOn } from "../kernel-settings.ts";
import type { CommandResult } from "../started-command.ts";
import type { AbsentGuards } from "./absent-guards.ts";
import type { BoundProcesses } from "./bound-processes.ts";
import type { Found, Reading } from "./reading.ts";

export interface Writing {
  load(script: string): Promise<void>;
  /** As `load`, by a program that waits for it. */
  loadAtOnce(script: string): Promise<void>;
  /** `calm`: only what names of control groups have not moved lately. */
  change(policy: HostPolicy, calm: boolean): Promise<void>;
  /** What the settings were before us, should no table of ours say so. */
  inherit(before: Before): void;
  /** Deletes our tables and puts the kernel's settings back, or leaves them. */
  takeOut(leaveSettings: boolean): Promise<void>;
  /** The interfaces there were when the last change was written. */
  readonly links: Links;
}

export interface WritingDeps {
  readonly host: HostCommands;
  readonly owner: string;
  readonly now: () => number;
  readonly reading: Reading;
  readonly guards: AbsentGuards;
  readonly processes: BoundProcesses;
  readonly render: (policy: HostPolicy) => Ruleset;
}

const loadWith =
  (nft: (script: string) => Promise<CommandResult>) =>
  async (script: string): Promise<void> => {
    if (script === "") return;
    const { code, stderr } = await nft(script);
    if (code !== 0) throw fromNft(stderr);
  };

export const createWriting = (deps: WritingDeps): Writing => {
  const { host, owner, now, reading, guards, processes, render } = deps;
  const load = loadWith((script) => host.nft(["-f", "-"], script));
  let links: Links = new Map();
  /** The settings before us, should somebody delete the tables that tell. */
  let remembered: Before | null = null;

  const reconcile = async (found: Found, desired: Ruleset): Promise<void> => {
    const update = planUpdate(found.ruleset, desired, now());
    let prepared = false;
    try {
      await load(update.clear);
      if (found.ruleset.inet === undefined) {
        // Nothing of ours is there yet, so no packet can be on its way through it.
        await load(update.prepare + update.switch);
      } else {
        await load(update.prepare);
        prepared = true;
        await load(update.switch);
      }
    } catch (error) {
      if (prepared) await load(update.undo);
      throw error;
    }
    for (const later of [update.open, update.cleanup]) {
      if (later === "") continue;
      await gracePeriod();
      await load(later);
    }
  };

  return {
    load,
    loadAtOnce: loadWith((script) => host.nftAtOnce(script)),
    get links() {
      return links;
    },
    async change(policy, calm) {
      const found = await reading.recall();
      const settings = readSettings(host);
      const before = found.marker?.before ?? remembered ?? settings;
      remembered = before;
      const there = host.interfaces();
      const marked = withComment(render(policy), formatMarker({ owner, before }));
      const desired = processes.desired(knownPorts(marked, there), policy, calm);
      turnOn(host, settings);
      try {
        await guards.write(desired.ruleset, (ruleset) => reconcile(found, ruleset));
        links = there;
        desired.told();
      } catch (error) {
        if (found.marker === null) putBack(host, before);
        throw error;
      }
    },
    inherit(before) {
      remembered ??= before;
    },
    async takeOut(leaveSettings) {
      const { ruleset, marker } = await reading.find();
      await load(planUpdate(ruleset, {}, now()).switch);
      const before = marker?.before ?? remembered;
      if (before !== null && !leaveSettings) putBack(host, before);
      remembered = null;
    },
  };
};
