// Three projects. `unit` needs nothing but Node, and its files share a process on each core: starting and loading Vitest
// anew for each of them costs more than most of them take. `kernel` needs root and a real kernel; each file
// builds network namespaces of its own, and much of its time is waiting, so four run side by side on two cores.
// `load` measures rates and short deadlines in the kernel and has the machine to itself.
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./scripts/longest-first.ts";

const rooms = [
  "packages/*/test",
  "apps/*/test",
  "test",
  "scripts/**/test",
  "bench/test",
  "examples/test",
];
const ignored = ["**/node_modules/**", "**/.stryker-tmp/**"];

const load = [
  "apps/agent/test/collector/collector.kernel.test.ts",
  "apps/agent/test/collector/losses.kernel.test.ts",
  "apps/agent/test/discovery/watch.kernel.test.ts",
  "apps/agent/test/drivers/updates.kernel.test.ts",
];

const patient = { testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: rooms.map((room) => `${room}/**/*.test.ts`),
          exclude: [...ignored, "**/*.kernel.test.ts"],
          testTimeout: 30_000,
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "kernel",
          environment: "node",
          include: rooms.map((room) => `${room}/**/*.kernel.test.ts`),
          exclude: [...ignored, ...load],
          ...patient,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "load",
          environment: "node",
          include: load,
          exclude: ignored,
          ...patient,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
