/** `bulkhead version`: what runs here. */
import { createRequire } from "node:module";
import type { CommonOptions } from "../context.ts";
import type { VersionAnswer } from "../schemas.ts";
import type { Verb } from "./verb.ts";

interface PackageFile {
  readonly version: string;
}

export const version: Verb<CommonOptions> = async () => {
  const file = createRequire(import.meta.url)("../../package.json") as PackageFile;
  const value: VersionAnswer = {
    version: file.version,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    apiVersion: "bulkhead.dev/v1",
  };
  return {
    value,
    text: () =>
      `bulkhead ${value.version} (Node ${value.node}, ${value.platform}, resources ${value.apiVersion})\n`,
    next: ["--help"],
    exitCode: 0,
  };
};
