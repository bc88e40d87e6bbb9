// The tests that mutants of the engine are run against. Whatever is quick to fail comes first in the include order.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    env: { FUZZ_RUNS: "0.06" },
  },
});
