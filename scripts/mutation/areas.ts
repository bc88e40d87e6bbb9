/**
 * What is broken on purpose, and by whose tests it must be noticed. An area is scored by itself: the engine's two, each
 * dialect's reading of text up to the common form, and what dialects share. What writes text back is not reading.
 */

export interface Room {
  readonly name: string;
  /** Globs from the root of the repository; tests of other parts do not bear on it. */
  readonly tests: readonly string[];
  readonly areas: readonly Area[];
}

export interface Area {
  readonly name: string;
  readonly files: readonly string[];
}

const ENGINE_TESTS = [
  "order",
  "cells",
  "atom-table",
  "same",
  "stable-id",
  "decide-ends",
  "decide-rules",
  "decide-stages",
  "decide-matching",
  "compiled-maps",
  "compiled-subjects",
  "compiled-overlay",
  "compile-result",
  "compiler",
  "bypasses",
  "canary",
  "exemptions",
  "replay",
  "explain",
  "laws",
  "invariants",
  "compile",
  "incremental",
  "reach",
  "requests",
  "decider",
  "decide-processes",
  "compile-processes",
  "compiled-processes",
];
const DECIDE = ["decide", "judge-stage", "matching", "exemption", "strictness", "order"];
const COMPILED = ["compile/*", "lookup", "compiled-exemptions"];

const engine = (names: readonly string[]): string[] =>
  names.map((name) => `packages/engine/src/${name}.ts`);
const dialect = (...names: readonly string[]): string[] =>
  names.map((name) => `packages/dialects/src/${name}.ts`);

/** What writes is not among it. */
const reading = (folder: string): string[] =>
  dialect(`${folder}/!(export|print|print-*|to-manifest|unsayable)`);

export const ROOMS: readonly Room[] = [
  {
    name: "engine",
    tests: ENGINE_TESTS.map((name) => `packages/engine/test/${name}.test.ts`),
    areas: [
      { name: "decide", files: engine([...DECIDE, "inventory-index", "mode"]) },
      { name: "compile", files: engine(COMPILED) },
    ],
  },
  {
    name: "dialects",
    // Exports count how often a case came up, which fewer runs cannot hold; texts without any sense, or of great size, tell only
    // of crashes.
    tests: [
      "packages/dialects/test/**/!(*-export|robust).test.ts",
      "packages/workbench/test/{vectors,network-policy,cluster-network-policy}.test.ts",
      "packages/workbench/test/{metadata-guard,policy-tests}.test.ts",
    ],
    areas: [
      { name: "native", files: [...reading("native"), ...dialect("build/native-*")] },
      { name: "kubernetes", files: [...reading("kubernetes"), ...dialect("build/kubernetes-*")] },
      ...["network-policy-api", "cilium", "istio", "calico", "antrea"].map((name) => ({
        name,
        files: reading(name),
      })),
      { name: "text", files: dialect("text/*", "{kinds,parse-files,resource,partial}") },
      { name: "build", files: dialect("build/!(native-*|kubernetes-*)") },
    ],
  },
];
