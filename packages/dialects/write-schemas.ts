// Writes spec/schema from the shapes: node packages/dialects/write-schemas.ts
import { mkdirSync, writeFileSync } from "node:fs";
import { nativeSchemas } from "./src/index.ts";

const folder = new URL("../../spec/schema/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(nativeSchemas())) {
  writeFileSync(new URL(name, folder), `${JSON.stringify(schema, null, 2)}\n`);
}
