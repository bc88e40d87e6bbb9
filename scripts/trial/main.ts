// `make trial`: installs the package on a server booted for the purpose, lives the whole loop there as somebody new would, and
// writes what was typed and what came back to docs/second-page.md. Ends with 1, and writes nothing, when anything broke.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Machine } from "../../test/machine/machine.ts";
import { project } from "../package/payload.ts";
import { Customers } from "./customers.ts";
import { packagesIn } from "./packages.ts";
import { SERVER } from "./server.ts";
import { live } from "./steps.ts";
import { Transcript } from "./transcript.ts";

const READER = "ann";
const folder = mkdtempSync(join(tmpdir(), "bhm-trial-"));
let machine: Machine | undefined;
let customers: Customers | undefined;
try {
  const packages = packagesIn(folder);
  machine = await Machine.boot({ ...SERVER, shown: [folder, dirname(packages.now)] });
  customers = new Customers(machine);
  await machine.well("useradd", "--create-home", READER);
  await machine.well("cp", packages.now, packages.next, "/root/");
  const transcript = new Transcript(machine, READER);
  const names = { now: basename(packages.now), next: basename(packages.next), reader: READER };
  await live({ machine, transcript, customers, names });
  writeFileSync(join(project, "docs", "second-page.md"), transcript.text);
} finally {
  customers?.end();
  await machine?.remove();
  rmSync(folder, { recursive: true, force: true });
}
