// Two projects: `unit` needs nothing but Node and runs in parallel; `kernel` needs root and a real
// kernel, builds network namespaces, and therefore runs one file at a time with patient time limits.
import { defineConfig } from "vitest/config";

const rooms = [
  "packages/*/test",
  "apps/*/test",
  "test",
  "scripts/**/test",
  "bench/test",
  "examples/test",
];
const ignored = ["**/node_modules/**", "**/.stryker-tmp/**"];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          environment: "node",
          include: rooms.map((room) => `${room}/**/*.test.ts`),
          exclude: [...ignored, "**/*.kernel.test.ts"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "kernel",
          environment: "node",
          include: rooms.map((room) => `${room}/**/*.kernel.test.ts`),
          exclude: ignored,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
