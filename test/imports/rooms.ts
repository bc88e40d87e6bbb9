// The table of rooms: who may import whom, and why. Every import of one room by another is checked
// against it, so a new dependency between rooms is a decision somebody takes here, with a reason.

export type RoomRule = {
  /** Rooms that sources of this room may import, by the last part of their package name. */
  readonly mayImport: readonly string[];
  /** Rooms that must not be reached even through others. */
  readonly neverReaches?: readonly string[];
  /** Pure rooms run in a browser and in a test without a machine around them. */
  readonly pure: boolean;
  readonly why: string;
};

const everyPackage = [
  "model",
  "dialects",
  "engine",
  "datapath",
  "learn",
  "sources",
  "workbench",
  "store",
  "wire",
  "api",
];

function everyPackageBut(...excluded: readonly string[]): readonly string[] {
  return everyPackage.filter((name) => !excluded.includes(name));
}

/** Keyed by folder. A room missing here fails the test: it has no agreed place in the house yet. */
export const rooms: Readonly<Record<string, RoomRule>> = {
  "packages/model": {
    mayImport: [],
    pure: true,
    why: "the nouns stand on nothing of ours, so that every room can share them without a cycle",
  },
  "packages/dialects": {
    mayImport: ["model"],
    pure: true,
    why: "a dialect only translates text to the common form; what a policy decides is the engine's to say",
  },
  "packages/engine": {
    mayImport: ["model"],
    pure: true,
    why: "one decision for all dialects and all kernels: it must know neither where a policy came from nor what enforces it",
  },
  "packages/datapath": {
    mayImport: ["model"],
    pure: true,
    why: "rendering is a lookup table's job; with the engine at hand it could disagree about order",
  },
  "packages/learn": {
    mayImport: ["model", "engine"],
    pure: true,
    why: "a suggestion is checked by the reference, and comes from flows alone, wherever they are stored",
  },
  "packages/sources": {
    mayImport: ["model"],
    pure: true,
    why: "a format is read the same in a pipeline, in the controller and in a browser, whoever stores what it tells",
  },
  "packages/workbench": {
    mayImport: ["model", "dialects", "engine", "learn", "sources"],
    pure: true,
    why: "what a person does at a desk works without a daemon, a kernel, a store, or Linux",
  },
  "packages/store": {
    mayImport: ["model"],
    pure: false,
    why: "a store keeps what it is given; one that evaluated policy would be a second opinion",
  },
  "packages/wire": {
    mayImport: ["model"],
    pure: false,
    why: "codecs translate between model and bytes, and both ends of the stream share them",
  },
  "packages/api": {
    mayImport: ["model"],
    pure: false,
    why: "the contract with people's tools depends on the nouns only, never on who serves it",
  },
  "apps/controller": {
    mayImport: everyPackageBut("datapath"),
    neverReaches: ["datapath"],
    pure: false,
    why: "a receipt digests the canonical PolicyMap, so the controller need not know which kernel driver an agent uses",
  },
  "apps/agent": {
    mayImport: everyPackageBut("learn", "sources", "workbench"),
    neverReaches: ["learn"],
    pure: false,
    why: "an agent enforces and reports; what should be allowed next is decided where all evidence meets",
  },
  "apps/cli": {
    mayImport: [...everyPackage, "controller", "agent"],
    pure: false,
    why: "thin verbs over every package, and the one place that starts the other apps",
  },
};

/** Folders that are not rooms: they exercise or serve the rooms and may import any of them. */
export const freeFolders: readonly string[] = ["bench", "examples", "scripts", "test"];
