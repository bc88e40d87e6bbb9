/** Stands in for the program that reads configuration, on a machine where the files of some never answer. */
import type { ReadMessage, ReadOrder } from "../../src/expectation/configuration-program.ts";

process.once("message", ({ owners }: ReadOrder) => {
  process.send!({ kind: "ready" } satisfies ReadMessage);
  for (const { owner } of owners) {
    if (owner.kind === "unit" && owner.cgroup.startsWith("/stuck")) {
      // As a read of a file system that is away: nothing of this process goes on.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }
    const found = [{ owner, host: "db.example", place: "environment DATABASE_HOST" }];
    process.send!({ kind: "read", found } satisfies ReadMessage);
  }
});
