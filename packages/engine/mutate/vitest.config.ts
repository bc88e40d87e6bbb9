// The tests that mutants of the engine are run against: all that bear on deciding and compiling, the random ones with
// fewer runs, so that two thousand mutants are done within the hour.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: [
      "decide",
      "compiled-form",
      "bypasses",
      "stable-id",
      "replay",
      "explain",
      "compile",
    ].map((name) => `test/${name}.test.ts`),
    testTimeout: 30_000,
    env: { FUZZ_RUNS: "0.04" },
    pool: "threads",
    isolate: false,
  },
});
